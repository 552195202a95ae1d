# Adds the crates of the box's programs ($crates: cargo metadata for the board's target) to Buildroot's list of packages.
# What only builds or tests is left out: nothing of it is in the image.
$crates[0] as $meta
| ($meta.packages | INDEX(.id)) as $package
| ($meta.resolve.nodes | INDEX(.id)) as $node
| def needs: [.deps[] | select(any(.dep_kinds[]; .kind == null)) | .pkg];
  def ref: "pkg:cargo/\($package[.].name)@\($package[.].version)";
  def reach($todo; $seen):
      if ($todo | length) == 0 then $seen
      else ($todo[0]) as $id
          | if $seen[$id] then reach($todo[1:]; $seen)
            else reach($todo[1:] + ($node[$id] | needs); $seen + {($id): true}) end
      end;
  [$meta.packages[] | select(.manifest_path | test("/appliance/[^/]+/Cargo.toml$")) | .id] as $programs
| (reach($programs; {}) | keys) as $used
| .components += [$used[] | $package[.] as $p | {
      type: (if any($programs[]; . == $p.id) then "application" else "library" end),
      "bom-ref": ref, name: $p.name, version: $p.version
  } + (if $p.source == null then {} else {purl: ref} end)
    + (if $p.license == null then {} else {licenses: [{expression: ($p.license | gsub("/"; " OR "))}]} end)
    + (if $p.repository == null then {} else {externalReferences: [{type: "vcs", url: $p.repository}]} end)]
| .dependencies += [$used[] as $id | {ref: ($id | ref), dependsOn: ([$node[$id] | needs[] | ref] | unique)}]
