//! The report on a wheel.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use wheelfix_elf::Elf;
use wheelfix_format::{EntryPoints, Metadata};
use wheelfix_wheel::{
    BundledLibrary, ElfMember, ElfOptions, ElfSet, Finding, MinimumVersion, OpenOptions, Placement,
    Wheel, WheelError,
};

use crate::InspectError;
use crate::InspectOptions;
use crate::elf::{ElfReport, Unreadable};
use crate::links::{Link, links};

/// The facts of a wheel.
#[derive(Debug, Serialize)]
pub struct WheelReport {
    /// The wheel as given.
    pub path: String,
    /// Its file name.
    pub file_name: String,
    /// Length of the wheel in bytes.
    pub len: u64,
    /// `METADATA`.
    pub distribution: Distribution,
    /// The file name and `WHEEL`.
    pub wheel: WheelFacts,
    /// `entry_points.txt`, by group.
    pub entry_points: BTreeMap<String, Vec<EntryPoint>>,
    /// The files.
    pub files: Files,
    /// How far `RECORD` was compared, and with what result.
    pub record: RecordStatus,
    /// The ELF files, by path.
    pub elf_files: Vec<ElfReport>,
    /// ELF files that cannot be read, each with the reason.
    pub unreadable: Vec<Unreadable>,
    /// The libraries that the ELF files need and none of them provides.
    pub external_libraries: Vec<Link>,
    /// The newest versions that are needed from outside.
    #[serde(rename = "version_floors")]
    pub minimum_versions: Vec<MinimumVersion>,
    /// Code for GPUs, by file.
    pub gpu_code: Vec<GpuCode>,
    /// Things that may be loaded or looked for while the wheel runs; `None` if they were not
    /// searched for.
    pub runtime_loads: Option<Vec<RuntimeLoad>>,
    /// Libraries of others in the wheel.
    pub bundled_libraries: Vec<BundledLibrary>,
    /// Findings for the maker of the wheel.
    pub findings: Vec<Finding>,
    /// Warnings about the wheel.
    pub warnings: Vec<String>,
}

/// `METADATA`.
#[derive(Debug, Serialize)]
pub struct Distribution {
    /// `Name`.
    pub name: String,
    /// `Version`.
    pub version: String,
    /// `Summary`; `None` without one.
    pub summary: Option<String>,
    /// `License-Expression`, or else `License`; `None` without either.
    pub license: Option<String>,
    /// `Requires-Python`; `None` without one.
    pub requires_python: Option<String>,
    /// `Requires-Dist`.
    pub dependencies: Vec<Dependency>,
    /// `Provides-Extra`.
    pub extras: Vec<String>,
}

/// A `Requires-Dist` field.
#[derive(Debug, Serialize)]
pub struct Dependency {
    /// As written.
    pub requirement: String,
    /// The normalised name; `None` if the requirement cannot be read.
    pub name: Option<String>,
    /// The condition, as written.
    pub marker: Option<String>,
}

/// The file name and `WHEEL`.
#[derive(Debug, Serialize)]
pub struct WheelFacts {
    /// All tags, expanded.
    pub tags: Vec<String>,
    /// The build tag of the file name; `None` without one.
    pub build: Option<String>,
    /// The label of the variant in the file name; `None` without one.
    pub variant: Option<String>,
    /// `Wheel-Version`.
    pub format: String,
    /// `Generator`; `None` without one.
    pub generator: Option<String>,
    /// `purelib` or `platlib`.
    pub root: &'static str,
}

/// An entry point.
#[derive(Debug, Serialize)]
pub struct EntryPoint {
    /// Its name: of the command, for `console_scripts`.
    pub name: String,
    /// The object that it names: `module:attribute`.
    pub object: String,
}

/// The files of a wheel.
#[derive(Debug, Serialize)]
pub struct Files {
    /// How many there are.
    pub count: usize,
    /// Unpacked, in bytes.
    pub len: u64,
    /// The files, in the order of the archive.
    pub list: Vec<File>,
}

/// A file of a wheel.
#[derive(Debug, Serialize)]
pub struct File {
    /// Its path.
    pub path: String,
    /// Unpacked, in bytes.
    pub len: u64,
    /// In the wheel, in bytes.
    pub compressed_len: u64,
    /// Whether it is executable.
    pub executable: bool,
    /// The scheme it is installed to; `record`, `signature` or `bytecode` for what is not installed.
    pub place: &'static str,
    /// As in `RECORD`.
    pub hash: Option<String>,
}

/// How far `RECORD` was compared, and with what result.
#[derive(Debug, Serialize)]
pub struct RecordStatus {
    /// Number of rows.
    pub rows: usize,
    /// `names and sizes`, or `contents` as well.
    pub compared: &'static str,
    /// Rows that are wrong, and files whose contents differ, each with the reason.
    pub mismatches: Vec<Unreadable>,
}

/// Code for GPUs in a file.
#[derive(Debug, Serialize)]
pub struct GpuCode {
    /// The file.
    pub path: String,
    /// The platform that the file is linked with: `CUDA 13`, `ROCm`, `oneAPI`.
    pub platform: Option<String>,
    /// The machines there is code for; `None` if contents were not searched.
    pub targets: Option<Vec<String>>,
}

/// Something that a file may load or look for while it runs.
#[derive(Debug, Serialize)]
pub struct RuntimeLoad {
    /// The name of a library, or a place.
    pub what: String,
    /// The file that does.
    pub path: String,
    /// The line of a Python source, counted from 1.
    pub line: Option<usize>,
    /// The text of that line.
    pub text: Option<String>,
}

pub(crate) fn read(path: &Path, options: InspectOptions) -> Result<WheelReport, InspectError> {
    let open = OpenOptions {
        with_record_faults: true,
        ..OpenOptions::default()
    };
    let wheel = Wheel::open_with(path, &open).map_err(|source| match source {
        WheelError::Io(error) => InspectError::Io(error),
        source => InspectError::Wheel {
            path: path.to_owned(),
            source: Box::new(source),
        },
    })?;
    let (members, (contents_lint, files)) = rayon::join(
        || {
            wheel.elf_members(ElfOptions {
                contents: options.deep,
            })
        },
        || (wheel.contents_lint(), files(&wheel)),
    );
    let readable: Vec<(&str, &Elf)> = members
        .iter()
        .filter_map(|member| Some((member.file.path.as_str(), member.elf.as_ref().ok()?)))
        .collect();
    let set = ElfSet::new(readable.iter().copied());
    let findings = wheel.tag_check(&members).into_iter().chain(contents_lint);
    let report = WheelReport {
        path: path.display().to_string(),
        file_name: wheel.filename().to_string(),
        len: wheel.archive().len(),
        distribution: Distribution::new(wheel.metadata()),
        wheel: wheel_facts(&wheel),
        entry_points: entry_points(wheel.entry_points()),
        files,
        record: record(&wheel, options),
        elf_files: readable
            .iter()
            .map(|(path, elf)| ElfReport::new(path, elf))
            .collect(),
        unreadable: members.iter().filter_map(unreadable).collect(),
        external_libraries: links(&set),
        minimum_versions: set.minimum_versions(),
        gpu_code: members
            .iter()
            .filter_map(|member| gpu_code(member, options))
            .collect(),
        runtime_loads: options.deep.then(|| runtime_loads(&wheel, &members)),
        bundled_libraries: set.bundled(),
        findings: findings.collect(),
        warnings: wheel.warnings().iter().map(ToString::to_string).collect(),
    };
    wheel.check_source()?;
    Ok(report)
}

impl Distribution {
    /// The part of core metadata that is reported.
    pub fn new(metadata: &Metadata) -> Self {
        let text = |name: &str| metadata.headers().get(name).map(str::to_owned);
        let dependencies = metadata.requires_dist().map(|(field, requirement)| {
            let requirement = requirement.ok();
            Dependency {
                requirement: field.value.to_owned(),
                name: requirement
                    .as_ref()
                    .map(|requirement| requirement.name().to_string()),
                marker: requirement
                    .and_then(|requirement| requirement.marker().map(ToString::to_string)),
            }
        });
        Self {
            name: text("Name").unwrap_or_default(),
            version: metadata.version().to_string(),
            summary: text("Summary"),
            license: text("License-Expression").or_else(|| text("License")),
            requires_python: metadata.requires_python().map(str::to_owned),
            dependencies: dependencies.collect(),
            extras: metadata.provides_extra().map(str::to_owned).collect(),
        }
    }
}

fn wheel_facts(wheel: &Wheel) -> WheelFacts {
    let (major, minor) = wheel.wheel_file().version;
    WheelFacts {
        tags: wheel
            .filename()
            .tags()
            .iter()
            .map(|tag| tag.to_string())
            .collect(),
        build: wheel.filename().build().map(ToString::to_string),
        variant: wheel.filename().variant().map(str::to_owned),
        format: format!("{major}.{minor}"),
        generator: wheel.wheel_file().generator.clone(),
        root: if wheel.wheel_file().root_is_purelib {
            "purelib"
        } else {
            "platlib"
        },
    }
}

fn entry_points(entry_points: &EntryPoints) -> BTreeMap<String, Vec<EntryPoint>> {
    let groups = entry_points.groups.iter().map(|(group, points)| {
        let points = points.iter().map(|point| EntryPoint {
            name: point.name.clone(),
            object: point.object.to_string(),
        });
        (group.clone(), points.collect())
    });
    groups.collect()
}

fn files(wheel: &Wheel) -> Files {
    let list = wheel.members().map(|member| File {
        path: member.file.path.to_string(),
        len: member.file.len,
        compressed_len: member.file.compressed_len,
        executable: member.file.executable,
        place: match member.placement {
            Placement::File { scheme, .. } => scheme.name(),
            Placement::Record => "record",
            Placement::Signature => "signature",
            Placement::EntryPoint => "entry-point",
            Placement::Bytecode => "bytecode",
        },
        hash: member.hash.map(ToString::to_string),
    });
    let list: Vec<File> = list.collect();
    Files {
        count: list.len(),
        len: list.iter().map(|file| file.len).sum(),
        list,
    }
}

fn record(wheel: &Wheel, options: InspectOptions) -> RecordStatus {
    let faults = if options.verify {
        wheel.verify_contents()
    } else {
        Vec::new()
    };
    let contents = faults.into_iter().map(|fault| Unreadable {
        path: fault.path,
        reason: fault.problem.to_string(),
    });
    let rows = wheel.record_faults().list().iter().map(|fault| Unreadable {
        path: fault.mismatch().unwrap_or_default().to_owned(),
        reason: fault.to_string(),
    });
    let unlisted = wheel.record_faults().unlisted();
    let more = (0 < unlisted).then(|| Unreadable {
        path: String::new(),
        reason: format!("{unlisted} more rows are wrong"),
    });
    RecordStatus {
        rows: wheel.record().rows.len(),
        compared: if options.verify {
            "contents"
        } else {
            "names and sizes"
        },
        mismatches: rows.chain(more).chain(contents).collect(),
    }
}

fn unreadable(member: &ElfMember<'_>) -> Option<Unreadable> {
    let reason = member.elf.as_ref().err()?.to_string();
    Some(Unreadable {
        path: member.file.path.to_string(),
        reason,
    })
}

fn gpu_code(member: &ElfMember<'_>, options: InspectOptions) -> Option<GpuCode> {
    let code = member.gpu_code.as_ref()?;
    let mut targets: Vec<String> = code.targets.iter().cloned().collect();
    // `sm_90` is older than `sm_100`.
    targets.sort_by_key(|target| {
        let name = target.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        (name, target.len(), target.clone())
    });
    Some(GpuCode {
        path: member.file.path.to_string(),
        platform: code.platform.clone(),
        targets: options.deep.then_some(targets),
    })
}

fn runtime_loads(wheel: &Wheel, members: &[ElfMember<'_>]) -> Vec<RuntimeLoad> {
    let in_libraries = members.iter().flat_map(|member| {
        member.loads.iter().map(|what| RuntimeLoad {
            what: what.clone(),
            path: member.file.path.to_string(),
            line: None,
            text: None,
        })
    });
    let in_sources = wheel.python_loads().into_iter().map(|load| {
        let (line, text) = load.line.unzip();
        RuntimeLoad {
            what: load.what,
            path: load.path,
            line,
            text,
        }
    });
    in_libraries.chain(in_sources).collect()
}
