{
  description = "the stub package set in the place of nixpkgs";
  outputs = _: { };
}
