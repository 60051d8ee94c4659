// A library that is needed only by name.
int extra(void) { return 1; }
