//! `wheelfix lock`

mod curl;
mod explain;
mod fetch;
mod index;
mod nix;
mod verify;

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use explain::explain;
use fetch::Fetcher;
use fs_err as fs;
use index::Indexes;
use nix::NixArgs;
use wheelfix_format::{PackageName, Target};
use wheelfix_install::{Staging, StagingError};
use wheelfix_link::count;
use wheelfix_loader::real_path;
use wheelfix_lock::{
    Document, DocumentOptions, Fault, IndexAnswers, Lock, Locked, NixpkgsPackage, Preference,
    Problem, Profile, Selection,
};

use crate::common::OutputArgs;
use crate::error::{Error, print, print_line, printed};
use crate::next_step::note_option;
use crate::{document, lock_uv};

/// Say what a lock file installs on some targets, file by file, as JSON
///
/// Reads uv.lock, pylock.toml, poetry.lock, pdm.lock, Pipfile.lock, requirements.txt with pins,
/// sources.yaml of Makes, and what pixi.lock and conda-lock.yml have of PyPI. Nothing is built or
/// installed, and nothing fetched without `--fetch`; what is not locked is given to uv.
#[derive(Debug, clap::Args)]
pub(crate) struct LockArgs {
    /// The lock file; or a pyproject.toml, a requirements.in or requirements, which uv resolves
    #[arg(value_name = "FILE", required = true)]
    inputs: Vec<PathBuf>,
    /// Where it is installed: machine, system and Python, as x86_64-linux-cp313, aarch64-musl-cp314t or
    /// x86_64-glibc2.36-cp312.4
    #[arg(
        long = "target",
        value_name = "TARGET",
        required_unless_present = "verify"
    )]
    targets: Vec<Target>,
    /// Extra to select
    #[arg(long = "extra", value_name = "NAME")]
    extras: Vec<PackageName>,
    /// Dependency group to select, beside the default ones
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<PackageName>,
    /// Leave the default dependency groups out
    #[arg(long)]
    no_default_groups: bool,
    /// Member of the workspace [default: the project beside the lock, or all members]
    #[arg(long, value_name = "MEMBER")]
    package: Option<PackageName>,
    /// A further selection: extras and groups with commas between, also extra:NAME, group:NAME,
    /// package:NAME, no-default-groups
    #[arg(long = "select", value_name = "NAME=WORDS")]
    selections: Vec<String>,
    /// Hardware to be for, as cpu or cuda=13.2: selects extras and groups that conflict, as cu128, and refuses
    /// versions for more, as +cu133; nothing looks at this machine
    #[arg(long)]
    profile: Option<Profile>,
    /// Take wheels, sdists or the packages of nixpkgs, for all that comes from an index or for one
    #[arg(long, value_name = "[NAME=]wheel|sdist|nixpkgs", value_parser = prefer)]
    prefer: Vec<(Option<PackageName>, Preference)>,
    /// Package that nixpkgs provides, and its attribute if it has another name
    #[arg(long, value_name = "NAME[=ATTR]", value_parser = from_nixpkgs)]
    from_nixpkgs: Vec<NixpkgsPackage>,
    /// Directory of answers of an index, NAME.json as its JSON API gives them, for locks without URLs
    #[arg(long, value_name = "DIR")]
    index_answer: Option<PathBuf>,
    /// Ask indexes, with curl, for what the lock lacks: where files are, their hashes, what packages require
    ///
    /// Indexes are those of the lock, then those of uv's variables, as `UV_DEFAULT_INDEX`, or of pip's.
    /// Users and passwords are those in these URLs or of .netrc, and go to the host that they are for.
    #[arg(long)]
    fetch: bool,
    /// Say of each wheel of a package why it is taken or not, instead
    #[arg(long, value_name = "NAME", conflicts_with_all = ["output_file", "json"])]
    explain: Option<PackageName>,
    #[command(flatten)]
    nix: NixArgs,
    /// File to write [default: standard output]
    #[arg(short, long = "output", value_name = "FILE", id = "output_file")]
    output_file: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

impl LockArgs {
    /// All that is read, as it was named.
    fn file(&self) -> PathBuf {
        let names: Vec<_> = self
            .inputs
            .iter()
            .map(|path| path.to_string_lossy())
            .collect();
        PathBuf::from(names.join(" "))
    }

    /// The name of the file, or of the requirements.
    fn name(&self) -> String {
        let file = self.file();
        file.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }
}

/// Largest lock that is read; the largest that is known has a few megabytes.
const MAX_LEN: u64 = 100 << 20;

/// Why a word is not a preference.
#[derive(Debug, thiserror::Error)]
enum ChoiceError {
    #[error("expected `wheel`, `sdist` or `nixpkgs`, got `{0}`")]
    Preference(String),
    #[error(transparent)]
    Name(#[from] wheelfix_format::PackageNameError),
    #[error("expected an attribute of nixpkgs' Python packages, got `{0}`")]
    Attribute(String),
}

fn prefer(text: &str) -> Result<(Option<PackageName>, Preference), ChoiceError> {
    let (name, word) = match text.split_once('=') {
        Some((name, word)) => (Some(name.parse()?), word),
        None => (None, text),
    };
    let preference = match word {
        "wheel" => Preference::Wheel,
        "sdist" => Preference::Sdist,
        "nixpkgs" => Preference::Nixpkgs,
        word => return Err(ChoiceError::Preference(word.to_owned())),
    };
    Ok((name, preference))
}

fn from_nixpkgs(text: &str) -> Result<NixpkgsPackage, ChoiceError> {
    let (name, attribute) = match text.split_once('=') {
        Some((name, attribute)) => (name, Some(attribute)),
        None => (text, None),
    };
    let name: PackageName = name.parse()?;
    let attribute = attribute.map_or_else(|| name.to_string(), str::to_owned);
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "-_'.".contains(c);
    if attribute.is_empty() || !attribute.chars().all(is_legal) {
        return Err(ChoiceError::Attribute(attribute));
    }
    Ok(NixpkgsPackage { name, attribute })
}

/// Why a lock cannot be read, beside its faults.
#[derive(Debug, thiserror::Error)]
enum LockError {
    #[error("`{}` has {len} bytes, which is more than any lock file", path.display())]
    TooLarge { path: PathBuf, len: u64 },
    #[error("there is no directory for `{}`", .0.display())]
    NoDirectory(PathBuf),
    #[error("`{}` is a directory", .0.display())]
    IsDirectory(PathBuf),
}

pub(crate) fn run(args: &LockArgs) -> Result<(), Error> {
    if args.nix.verify {
        return verify::verify(&args.file(), args.output.quiet);
    }
    check_arguments(args)?;
    let of_uv = lock_uv::resolve(&args.inputs, &args.targets)?;
    let is_of_uv = of_uv.is_some();
    let (name, bytes) = match of_uv {
        Some(bytes) => ("uv.lock".to_owned(), bytes),
        None => (args.name(), read(&args.file())?),
    };
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let fault = Fault::of_file(Problem::Utf8(error.valid_up_to()));
        refuse(args, &[fault])
    })?;
    let file = args.file();
    let directory = file.parent().unwrap_or(Path::new(""));
    let project = |project: &str| {
        let project = directory.join(project).join("pyproject.toml");
        fs_err::read_to_string(project).ok()
    };
    let lock = Lock::read_beside(&name, text, project);
    let mut lock = lock.map_err(|faults| refuse(args, &faults))?;
    if is_of_uv {
        lock_uv::check(&args.inputs, &lock)?;
    }
    let mut selections = selections(args, &lock)?;
    select_hardware(args, &mut lock, &mut selections)?;
    let options = options(args);
    let mut faults = complete(args, &mut lock, &selections, &options)?;
    if let Some(name) = &args.explain {
        if !faults.is_empty() {
            return Err(refuse(args, &faults));
        }
        return explain(args, &lock, &selections, &options, name);
    }
    let document = Document::new(&lock, &bytes, &args.targets, &selections, &options);
    let document = match document {
        Ok(document) if faults.is_empty() => document,
        result => {
            let more = result.err().unwrap_or_default();
            add_of_others(&mut faults, more);
            return Err(refuse(args, &faults));
        }
    };
    if !args.output.quiet {
        print("note", document.notes());
    }
    if args.nix.init {
        return init(args, &document);
    }
    if let Some(name) = &args.nix.package_expression {
        return print_expression(args, &document, name);
    }
    write(args, &document)
}

/// Checks what is named, before anything is read.
fn check_arguments(args: &LockArgs) -> Result<(), Error> {
    lock_uv::refuse_directories(&args.inputs)?;
    if args.nix.init {
        check_init(args)?;
    }
    if args.nix.package_expression.is_some() && args.targets.len() != 1 {
        let text = "`--package-expression` is for one `--target`".to_owned();
        return Err(Error::Usage(text));
    }
    Ok(())
}

/// The files of `--init`.
fn init_paths(args: &LockArgs) -> [PathBuf; 2] {
    let file = args.file();
    let dir = file.parent().unwrap_or(Path::new(""));
    ["wheelfix.lock.json", "flake.nix"].map(|name| dir.join(name))
}

/// Refuses to replace anything, before all else.
fn check_init(args: &LockArgs) -> Result<(), Error> {
    let obstacles = nix::obstacles(&args.targets, &init_paths(args));
    if obstacles.is_empty() {
        return Ok(());
    }
    print("error", obstacles);
    Err(Error::Reported)
}

/// Writes the document and a flake around it.
fn init(args: &LockArgs, document: &Document) -> Result<(), Error> {
    let flake = nix::flake(&args.name(), &args.targets, document);
    let flake = flake.map_err(Error::refused)?;
    check_init(args)?;
    let [of_document, of_flake] = init_paths(args);
    replace(&of_document, &document_bytes(document)?)?;
    replace(&of_flake, flake.as_bytes())?;
    if !args.output.quiet {
        print_line(format_args!(
            "{} and {}",
            of_document.display(),
            of_flake.display()
        ))?;
        print(
            "hint",
            ["in a repository Nix sees a flake and its files once they are added to it"],
        );
    }
    Ok(())
}

fn print_expression(args: &LockArgs, document: &Document, name: &PackageName) -> Result<(), Error> {
    let [target] = args.targets.as_slice() else {
        return Ok(());
    };
    let locked = Locked::read(&document_bytes(document)?).map_err(Error::refused)?;
    let packages = locked.packages(&target.to_string(), "default");
    let packages = packages.map_err(Error::refused)?;
    let text = nix::expression(&locked, &packages, name).map_err(Error::refused)?;
    printed(text.lines().try_for_each(|line| Ok(print_line(line)?)))
}

fn document_bytes(document: &Document) -> Result<Vec<u8>, Error> {
    let mut bytes = serde_json::to_vec_pretty(document).map_err(io::Error::from)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn options(args: &LockArgs) -> DocumentOptions {
    let mut options = DocumentOptions {
        path: args.name(),
        nixpkgs: args.from_nixpkgs.clone(),
        profile: args.profile.clone(),
        ..DocumentOptions::default()
    };
    for (name, preference) in &args.prefer {
        match name {
            Some(name) => {
                options.preferences.insert(name.clone(), *preference);
            }
            None => options.preference = *preference,
        }
    }
    options
}

/// Adds the faults of packages of which nothing is told yet: what could not be fetched is missing.
fn add_of_others(faults: &mut Vec<Fault>, more: Vec<Fault>) {
    let name = |fault: &Fault| {
        let package = fault.package.as_deref()?;
        Some(package.split(' ').next()?.to_owned())
    };
    let told: BTreeSet<String> = faults.iter().filter_map(name).collect();
    let is_new = |fault: &Fault| name(fault).is_none_or(|name| !told.contains(&name));
    faults.extend(more.into_iter().filter(is_new));
}

/// Adds what the lock lacks: from answers that are there, and by asking. The faults of the latter.
fn complete(
    args: &LockArgs,
    lock: &mut Lock<'_>,
    selections: &[Selection],
    options: &DocumentOptions,
) -> Result<Vec<Fault>, Error> {
    let mut answers = IndexAnswers::default();
    let mut unlocated: BTreeSet<PackageName> = lock.unlocated().into_iter().cloned().collect();
    if let Some(dir) = &args.index_answer {
        unlocated = read_answers(args, &mut answers, unlocated, dir)?;
    }
    if !args.fetch {
        return Ok(lock.locate(&answers).err().unwrap_or_default());
    }
    let file = args.file();
    let root = file.parent().unwrap_or(Path::new(""));
    let mut fetcher = Fetcher::new(lock, root)?;
    fetcher.answers(lock, &unlocated, &mut answers)?;
    let mut faults = lock.locate(&answers).err().unwrap_or_default();
    let wanted = lock.wanted(&args.targets, selections, options);
    fetcher.hashes(lock, &wanted)?;
    fetcher.requirements(lock, &wanted, &answers)?;
    faults.extend(fetcher.faults);
    Ok(faults)
}

/// The contents of the lock file.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut file = fs::File::open(path)?;
    let len = file.metadata()?.len();
    if MAX_LEN < len {
        let path = path.to_owned();
        return Err(Error::refused(LockError::TooLarge { path, len }));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the answers of an index that are files; the packages without one are left.
fn read_answers(
    args: &LockArgs,
    answers: &mut IndexAnswers,
    names: BTreeSet<PackageName>,
    dir: &Path,
) -> Result<BTreeSet<PackageName>, Error> {
    fs::read_dir(dir)?;
    let mut left = BTreeSet::new();
    let mut faults = Vec::new();
    for name in names {
        let text = match fs::read_to_string(dir.join(format!("{name}.json"))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                left.insert(name);
                continue;
            }
            result => result?,
        };
        if let Err(fault) = answers.add(&name, &text) {
            faults.push(*fault);
        }
    }
    if faults.is_empty() {
        Ok(left)
    } else {
        Err(refuse(args, &faults))
    }
}

/// The selection of the single options, then the further ones.
fn selections(args: &LockArgs, lock: &Lock<'_>) -> Result<Vec<Selection>, Error> {
    let mut selections = vec![Selection {
        name: "default".to_owned(),
        package: args.package.clone(),
        extras: args.extras.iter().cloned().collect(),
        groups: args.groups.iter().cloned().collect(),
        no_default_groups: args.no_default_groups,
    }];
    for text in &args.selections {
        let selection = Selection::parse(text, lock)
            .map_err(|error| Error::Usage(format!("`--select {text}`: {error}")))?;
        if selections.iter().any(|other| other.name == selection.name) {
            let name = selection.name;
            let text = format!("`--select {text}`: there is a selection `{name}` already");
            return Err(Error::Usage(text));
        }
        selections.push(selection);
    }
    Ok(selections)
}

/// Selects what is for the hardware, in all selections.
fn select_hardware(
    args: &LockArgs,
    lock: &mut Lock<'_>,
    selections: &mut [Selection],
) -> Result<(), Error> {
    let Some(profile) = &args.profile else {
        return Ok(());
    };
    let mut faults = Vec::new();
    let mut is_known = false;
    for selection in selections {
        match profile.select(lock, selection) {
            Ok(is_one) => is_known |= is_one,
            Err(more) => faults.extend(more),
        }
    }
    if !faults.is_empty() {
        return Err(refuse(args, &faults));
    }
    if !is_known {
        let note = "the lock has no extras or groups for hardware, of which one can be selected";
        lock.notes.push(note.to_owned());
    }
    if !profile.sm.is_empty() {
        let note = "no lock says for which GPUs a wheel is compiled: `wheelfix inspect` does";
        lock.notes.push(note.to_owned());
    }
    Ok(())
}

/// Prints all faults, a fix behind those that have one.
fn refuse(args: &LockArgs, faults: &[Fault]) -> Error {
    let path = args.file();
    let path = path.display();
    print(
        "error",
        faults.iter().map(|fault| format!("`{path}`: {fault}")),
    );
    // Nothing else is lacking where the environment names an index.
    if !args.fetch && faults.iter().all(|it| is_for_index(&it.problem)) && has_index() {
        note_option("--fetch");
    }
    let hints: BTreeSet<String> = faults
        .iter()
        .filter_map(|fault| hint(&fault.problem))
        .collect();
    print("hint", hints);
    Error::Reported
}

/// Whether an index has what is lacking.
fn is_for_index(problem: &Problem) -> bool {
    matches!(problem, Problem::NoUrl(_) | Problem::NoFiles)
}

/// Whether the environment names an index.
fn has_index() -> bool {
    !Indexes::new(&[]).urls.is_empty()
}

/// Advice on a fault.
fn hint(problem: &Problem) -> Option<String> {
    match problem {
        Problem::NoHash(_) => Some(
            "without `--fetch` nothing is fetched, so that the lock has to have a hash of each file: give \
             `--fetch`, use an index that tells them, or put the file beside the lock and name its path"
                .to_owned(),
        ),
        problem if is_for_index(problem) => {
            let index = if has_index() {
                ""
            } else {
                ", once a variable names it, as in `PIP_INDEX_URL=https://HOST/simple wheelfix lock ... --fetch`"
            };
            Some(format!(
                "`--fetch` asks the index where files are{index}; without it the lock has to say that, as `uv lock` \
                 and `pdm lock -S static_urls` write it, or what the index answers is given with `--index-answer DIR`"
            ))
        }
        Problem::NoIndex => Some(
            "name the index in the variable UV_DEFAULT_INDEX or PIP_INDEX_URL, as `https://HOST/simple`"
                .to_owned(),
        ),
        Problem::Undeclared { name, known, .. } => {
            let best = likeliest(name, known);
            best.map(|best| format!("for `{name}`, is `{best}` meant?"))
        }
        Problem::RequiresPython { requires, got } if needs_micro(requires, got) => Some(
            "a target may have a micro version, as `--target x86_64-linux-cp311.9`; without one it is 0"
                .to_owned(),
        ),
        Problem::NoFile(_) => Some(
            "`--explain NAME` says of each wheel why it was not taken; `--from-nixpkgs NAME` takes the \
             package from nixpkgs"
                .to_owned(),
        ),
        _ => None,
    }
}

/// The name that is most like one that is not there, if it is like it.
fn likeliest<'k>(name: &str, known: impl IntoIterator<Item = &'k String>) -> Option<&'k String> {
    let likeness = |known: &&String| strsim::jaro_winkler(known, name);
    let known = known.into_iter();
    let best = known.max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    best.filter(|known| 0.85 < likeness(known))
}

/// Whether the same Python with a higher micro version might do.
fn needs_micro(requires: &str, got: &str) -> bool {
    let minor = got.strip_suffix('0').filter(|minor| minor.ends_with('.'));
    minor.is_some_and(|minor| requires.contains(minor))
}

fn write(args: &LockArgs, document: &Document) -> Result<(), Error> {
    if let Some(path) = &args.output_file {
        replace(path, &document_bytes(document)?)?;
        if !args.output.json {
            let (files, targets) = document.counts();
            if !args.output.quiet {
                let (files, targets) = (count(files, "file"), count(targets, "target"));
                print_line(format_args!("{files} for {targets}, in {}", path.display()))?;
            }
            return Ok(());
        }
    }
    document::print_whole(document)?;
    Ok(())
}

/// Writes a file that appears whole, or stays as it was.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let path = real_path(path)?;
    if path.is_dir() {
        return Err(Error::refused(LockError::IsDirectory(path)));
    }
    let parent = path.parent().filter(|parent| parent.is_dir());
    let parent = parent.ok_or_else(|| Error::environment(LockError::NoDirectory(path.clone())))?;
    let staging = Staging::merge(parent).map_err(|error| match error {
        StagingError::Io(error) => Error::from(error),
        error => Error::environment(error),
    })?;
    let new = staging.root().join("new");
    fs::write(&new, bytes)?;
    fs::rename(&new, &path)?;
    Ok(())
}
