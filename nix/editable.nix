# A package that is read where its sources lie, below $REPO_ROOT: a .pth and its metadata, as an editable install
# of pip leaves them. Its programs work.
{
  python,
  runCommand,
}:
{
  name,
  version,
  # as settings of mkWheel
  relax ? [ ],
  removeDeps ? [ ],
  # where the package lies, as the lock says it and for this evaluation
  path,
  directory,
}:
let
  wlib = import ./lib;
  file = directory + "/pyproject.toml";
  project =
    (if builtins.pathExists file then builtins.fromTOML (builtins.readFile file) else { }).project
      or { };
  sources = if builtins.pathExists (directory + "/src") then "${path}/src" else path;
  scripts = (project.scripts or { }) // (project.gui-scripts or { });
  isRelaxed = it: relax == true || builtins.elem it.name relax;
  requirements = map (it: if isRelaxed it then it.free else it.text) (
    builtins.filter (it: !builtins.elem it.name removeDeps) (
      map wlib.parseRequirement (project.dependencies or [ ])
    )
  );
  lines = builtins.concatStringsSep "";
  valuesOf = make: set: builtins.attrValues (builtins.mapAttrs make set);
  metadata = lines (
    [
      "Metadata-Version: 2.1\n"
      "Name: ${name}\n"
      "Version: ${version}\n"
    ]
    ++ map (requirement: "Requires-Dist: ${requirement}\n") requirements
  );
  entryPoints = lines (
    valuesOf (group: entries: ''
      [${group}]
      ${lines (valuesOf (entry: object: "${entry} = ${object}\n") entries)}
    '') ({ console_scripts = scripts; } // project.entry-points or { })
  );
  program =
    object:
    let
      parts = builtins.filter builtins.isString (builtins.split "[[:space:]]*:[[:space:]]*" object);
      function = builtins.elemAt parts 1;
      first = builtins.head (builtins.split "[.]" function);
    in
    ''
      #!${python.interpreter}
      import sys
      from ${builtins.head parts} import ${first}
      sys.exit(${function}())
    '';
  distribution = builtins.replaceStrings [ "-" ] [ "_" ] name;
  info = "${distribution}-${version}.dist-info";
  site = python.sitePackages;
  pth = ''
    import os, sys; sys.path.append(os.path.normpath(os.path.join(os.environ.get("REPO_ROOT", "."), "${sources}")))
  '';
  write = text: to: "cat >\"$out/${to}\" <<'END_OF_TEXT'\n${text}END_OF_TEXT\n";
in
runCommand "${name}-editable" { } (
  ''
    mkdir -p "$out/${site}/${info}" "$out/bin"
  ''
  + write pth "${site}/__editable__.${distribution}.pth"
  + write metadata "${site}/${info}/METADATA"
  + write entryPoints "${site}/${info}/entry_points.txt"
  + write "wheelfix\n" "${site}/${info}/INSTALLER"
  + lines (
    valuesOf (
      entry: object: write (program object) "bin/${entry}" + "chmod +x \"$out/bin/${entry}\"\n"
    ) scripts
  )
  + ''
    cd "$out/${site}"
    find "__editable__.${distribution}.pth" "${info}" ../../../bin -type f \
      | sed 's/$/,,/' >"$TMPDIR/record"
    echo "${info}/RECORD,," >>"$TMPDIR/record"
    mv "$TMPDIR/record" "${info}/RECORD"
  ''
)
