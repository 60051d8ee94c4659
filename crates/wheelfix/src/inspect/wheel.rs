//! The report on a wheel.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wheelfix_elf::Elf;
use wheelfix_format::{EntryPoints, Metadata};
use wheelfix_wheel::{
    BundledLibrary, ElfMember, ElfOptions, ElfSet, OpenOptions, Placement, Wheel, WheelError,
};

use crate::error::Error;
use crate::inspect::InspectOptions;
use crate::inspect::elf::ElfReport;
use crate::inspect::tree::Unreadable;

/// The facts of a wheel.
#[derive(Debug, Serialize)]
pub(crate) struct WheelReport {
    /// The wheel as given.
    pub(crate) path: String,
    /// Its file name.
    pub(crate) file_name: String,
    /// Length of the wheel in bytes.
    pub(crate) len: u64,
    /// `METADATA`.
    pub(crate) distribution: Distribution,
    /// The file name and `WHEEL`.
    pub(crate) wheel: WheelFacts,
    /// `entry_points.txt`, by group.
    pub(crate) entry_points: BTreeMap<String, Vec<EntryPoint>>,
    /// The files.
    pub(crate) files: Files,
    /// How far `RECORD` was compared, and with what result.
    pub(crate) record: RecordStatus,
    /// The ELF files, by path.
    pub(crate) elf_files: Vec<ElfReport>,
    /// ELF files that cannot be read, each with the reason.
    pub(crate) unreadable: Vec<Unreadable>,
    /// The libraries that the ELF files need and none of them provides.
    pub(crate) external_libraries: Vec<Link>,
    /// The newest versions that are needed from outside.
    #[serde(rename = "version_floors")]
    pub(crate) minimum_versions: Vec<MinimumVersion>,
    /// Code for GPUs, by file.
    pub(crate) gpu_code: Vec<GpuCode>,
    /// Things that may be loaded or looked for while the wheel runs; `None` if they were not
    /// searched for.
    pub(crate) runtime_loads: Option<Vec<RuntimeLoad>>,
    /// Libraries of others in the wheel.
    pub(crate) bundled_libraries: Vec<Library>,
    /// Findings for the maker of the wheel.
    pub(crate) findings: Vec<Finding>,
    /// Warnings about the wheel.
    pub(crate) warnings: Vec<String>,
}

/// `METADATA`.
#[derive(Debug, Serialize)]
pub(crate) struct Distribution {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) summary: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) requires_python: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) extras: Vec<String>,
}

/// A `Requires-Dist` field.
#[derive(Debug, Serialize)]
pub(crate) struct Dependency {
    /// As written.
    pub(crate) requirement: String,
    /// The normalised name; `None` if the requirement cannot be read.
    pub(crate) name: Option<String>,
    /// The condition, as written.
    pub(crate) marker: Option<String>,
}

/// The file name and `WHEEL`.
#[derive(Debug, Serialize)]
pub(crate) struct WheelFacts {
    /// All tags, expanded.
    pub(crate) tags: Vec<String>,
    pub(crate) build: Option<String>,
    pub(crate) variant: Option<String>,
    /// `Wheel-Version`.
    pub(crate) format: String,
    pub(crate) generator: Option<String>,
    /// `purelib` or `platlib`.
    pub(crate) root: &'static str,
}

/// An entry point.
#[derive(Debug, Serialize)]
pub(crate) struct EntryPoint {
    pub(crate) name: String,
    pub(crate) object: String,
}

/// The files of a wheel.
#[derive(Debug, Serialize)]
pub(crate) struct Files {
    pub(crate) count: usize,
    /// Unpacked, in bytes.
    pub(crate) len: u64,
    pub(crate) list: Vec<File>,
}

/// A file of a wheel.
#[derive(Debug, Serialize)]
pub(crate) struct File {
    pub(crate) path: String,
    /// Unpacked, in bytes.
    pub(crate) len: u64,
    /// In the wheel, in bytes.
    pub(crate) compressed_len: u64,
    pub(crate) executable: bool,
    /// The scheme it is installed to; `record`, `signature` or `bytecode` for what is not installed.
    pub(crate) place: &'static str,
    /// As in `RECORD`.
    pub(crate) hash: Option<String>,
}

/// How far `RECORD` was compared, and with what result.
#[derive(Debug, Serialize)]
pub(crate) struct RecordStatus {
    /// Number of rows.
    pub(crate) rows: usize,
    /// `names and sizes`, or `contents` as well.
    pub(crate) compared: &'static str,
    /// Rows that are wrong, and files whose contents differ, each with the reason.
    pub(crate) mismatches: Vec<Unreadable>,
}

/// A library that is needed from outside.
#[derive(Debug, Serialize)]
pub(crate) struct Link {
    pub(crate) soname: String,
    pub(crate) needed_by: Vec<String>,
}

/// The newest version of a kind that is needed from outside.
#[derive(Debug, Serialize)]
pub(crate) struct MinimumVersion {
    /// `GLIBC`, `GLIBCXX`.
    pub(crate) name: String,
    pub(crate) version: String,
    /// The library that has to define it.
    pub(crate) library: String,
    /// The first file that needs it.
    pub(crate) path: String,
    /// Number of files that need it.
    pub(crate) count: usize,
}

/// Code for GPUs in a file.
#[derive(Debug, Serialize)]
pub(crate) struct GpuCode {
    pub(crate) path: String,
    /// The platform that the file is linked with: `CUDA 13`, `ROCm`, `oneAPI`.
    pub(crate) platform: Option<String>,
    /// The machines there is code for; `None` if contents were not searched.
    pub(crate) targets: Option<Vec<String>>,
}

/// Something that a file may load or look for while it runs.
#[derive(Debug, Serialize)]
pub(crate) struct RuntimeLoad {
    /// The name of a library, or a place.
    pub(crate) what: String,
    pub(crate) path: String,
    /// The line of a Python source, counted from 1.
    pub(crate) line: Option<usize>,
    /// The text of that line.
    pub(crate) text: Option<String>,
}

/// A library of others.
#[derive(Debug, Serialize)]
pub(crate) struct Library {
    pub(crate) path: String,
    pub(crate) soname: Option<String>,
    /// Its name as its makers had it.
    pub(crate) canonical: String,
    /// Whether a hash was put into its name.
    pub(crate) is_renamed: bool,
    /// The files in the wheel that need it; none of them may load it by `dlopen`.
    pub(crate) needed_by: Vec<String>,
}

/// A finding for the maker of a wheel.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) paths: Vec<String>,
}

/// Why a wheel cannot be inspected.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is refused", path.display())]
struct RefusedWheel {
    path: PathBuf,
    source: WheelError,
}

pub(crate) fn read(path: &Path, options: InspectOptions) -> Result<WheelReport, Error> {
    let open = OpenOptions {
        with_record_faults: true,
        ..OpenOptions::default()
    };
    let wheel = Wheel::open_with(path, &open).map_err(|source| match source {
        WheelError::Io(error) => Error::from(error),
        source => Error::refused(RefusedWheel {
            path: path.to_owned(),
            source,
        }),
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
        minimum_versions: set
            .minimum_versions()
            .into_iter()
            .map(MinimumVersion::from)
            .collect(),
        gpu_code: members
            .iter()
            .filter_map(|member| gpu_code(member, options))
            .collect(),
        runtime_loads: options.deep.then(|| runtime_loads(&wheel, &members)),
        bundled_libraries: set.bundled().into_iter().map(Library::from).collect(),
        findings: findings.map(Finding::from).collect(),
        warnings: wheel.warnings().iter().map(ToString::to_string).collect(),
    };
    wheel.check_source()?;
    Ok(report)
}

impl Distribution {
    /// The part of core metadata that is reported.
    pub(crate) fn new(metadata: &Metadata) -> Self {
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

/// The libraries that a set of ELF files needs from outside.
pub(crate) fn links(set: &ElfSet<'_>) -> Vec<Link> {
    let links = set.external().into_iter().map(|(soname, needed_by)| Link {
        soname: soname.to_owned(),
        needed_by: needed_by.into_iter().map(str::to_owned).collect(),
    });
    links.collect()
}

impl From<wheelfix_wheel::MinimumVersion> for MinimumVersion {
    fn from(minimum: wheelfix_wheel::MinimumVersion) -> Self {
        let wheelfix_wheel::MinimumVersion {
            name,
            version,
            library,
            path,
            count,
        } = minimum;
        Self {
            name,
            version,
            library,
            path,
            count,
        }
    }
}

impl From<BundledLibrary> for Library {
    fn from(library: BundledLibrary) -> Self {
        let BundledLibrary {
            path,
            soname,
            canonical,
            is_renamed,
            needed_by,
        } = library;
        Self {
            path,
            soname,
            canonical,
            is_renamed,
            needed_by,
        }
    }
}

impl From<wheelfix_wheel::Finding> for Finding {
    fn from(finding: wheelfix_wheel::Finding) -> Self {
        Self {
            code: finding.code.to_string(),
            message: finding.message,
            paths: finding.paths,
        }
    }
}
