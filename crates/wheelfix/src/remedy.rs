//! How remedies are worded: by what the command at hand has, for a shell or for a .nix file.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::CommandFactory as _;
use wheelfix_install::{FileFault, InstallWarning};
use wheelfix_link::{Candidate, Choice, Fault, Remedy, RuleClass, Told};
use wheelfix_unbundle::UnbundleFault;
use wheelfix_wheel::WheelWarning;

use crate::message::BREAK;
use crate::nixpkgs::{self, Refusal};
use crate::quoting::{escaped_glob, glob, globs, nix_string, nix_text, shell_word};
use crate::settings;

/// How many files one line names.
const NAMED: usize = 5;

/// The command at hand.
#[derive(Debug)]
pub(crate) struct Voice {
    /// The subcommand whose options count.
    command: String,
    /// The build that runs it; `None` outside of Nix.
    build: Option<Build>,
    /// The long options of the subcommand, once somebody asks for them.
    options: OnceLock<BTreeSet<String>>,
}

/// A build of Nix, by where its author writes settings.
#[derive(Debug)]
pub(crate) enum Build {
    /// Of the builder, in the attribute set `wheelfix`.
    Derivation,
    /// With hooks, in attributes of a recipe, the set `wheelfix` among them where attributes are structured.
    Recipe { is_structured: bool },
    /// The same, but of a package in a set of uv2nix or pyproject.nix, in an overlay.
    Overlay { package: String },
}

static VOICE: OnceLock<Voice> = OnceLock::new();

/// The voice before anybody said which command it is: it has no options.
static NOBODY: Voice = Voice {
    command: String::new(),
    build: None,
    options: OnceLock::new(),
};

/// Whether a command that only looks looks at what another one would make.
static AS_INSTALLED: AtomicBool = AtomicBool::new(false);

/// Says which subcommand is run in a shell.
pub(crate) fn in_shell(command: &str) {
    speak(command, None);
}

/// Says of which subcommand a build has the settings.
pub(crate) fn in_build(command: &str, build: Build) {
    speak(command, Some(build));
}

/// Says that files are looked at as `install` would leave them.
pub(crate) fn as_installed() {
    AS_INSTALLED.store(true, Ordering::Relaxed);
}

/// The first to say so is right.
fn speak(command: &str, build: Option<Build>) {
    VOICE.get_or_init(|| Voice {
        command: command.to_owned(),
        build,
        options: OnceLock::new(),
    });
}

/// Whether Nix runs the command.
pub(crate) fn is_in_build() -> bool {
    voice().is_in_build()
}

/// Whether the command makes run paths lead to what it is told of.
pub(crate) fn edits() -> bool {
    voice().edits()
}

/// The subcommand at hand.
pub(crate) fn command() -> &'static str {
    &voice().command
}

/// Whether the command has an option, or a build the setting of it.
pub(crate) fn has(option: &str) -> bool {
    voice().has(option)
}

/// The text that a shell expands to the outputs of an expression; more commands may follow.
pub(crate) fn nix_build(expression: &str, more: &str) -> String {
    format!("\"$(nix-build --no-out-link -E '{expression}'{more})\"")
}

/// The setting of a build for the libraries of these directories, written as elements of a list.
pub(crate) fn libraries_in_nix(elements: &str) -> String {
    match &voice().build {
        Some(Build::Overlay { package }) => format!(
            "{package} = prev.{package}.overrideAttrs (old: {{ buildInputs = old.buildInputs ++ [ {elements} ]; }});"
        ),
        Some(Build::Recipe { .. }) => format!("buildInputs = [ {elements} ];"),
        Some(Build::Derivation) | None => format!("wheelfix.libs = [ {elements} ];"),
    }
}

fn voice() -> &'static Voice {
    VOICE.get().unwrap_or(&NOBODY)
}

impl Build {
    /// A setting, `name = value;`, as it is written.
    fn written(&self, setting: &str) -> String {
        let mut chars = setting.chars();
        let first = chars.next().map(|first| first.to_ascii_uppercase());
        let variable =
            || first.map_or_else(String::new, |it| format!("wheelfix{it}{}", chars.as_str()));
        match self {
            Self::Overlay { package } => {
                format!(
                    "{package} = prev.{package}.overrideAttrs {{ {} }};",
                    variable()
                )
            }
            Self::Recipe {
                is_structured: false,
            } => variable(),
            Self::Derivation | Self::Recipe { .. } => format!("wheelfix.{setting}"),
        }
    }
}

impl Voice {
    /// Whether Nix runs the command.
    fn is_in_build(&self) -> bool {
        self.build.is_some()
    }

    fn has(&self, option: &str) -> bool {
        let options = self.options.get_or_init(|| {
            let arguments = crate::Args::command();
            let command = arguments.find_subcommand(&self.command).into_iter();
            let longs = command.flat_map(clap::Command::get_arguments);
            let longs = longs.filter_map(clap::Arg::get_long);
            longs.map(|long| format!("--{long}")).collect()
        });
        options.contains(option) && (!self.is_in_build() || settings::of_option(option).is_some())
    }

    /// Whether run paths are made to lead to what it is told of.
    fn edits(&self) -> bool {
        !matches!(self.command.as_str(), "check" | "why") || AS_INSTALLED.load(Ordering::Relaxed)
    }
}

/// An option or setting with values, as it is to be written; `None` where there is neither. Without a
/// value a word stands for it.
pub(crate) fn ask(option: &str, values: &[Cow<'_, str>]) -> Option<String> {
    let voice = voice();
    voice.has(option).then(|| written(voice, option, values))
}

/// The name of an option, or the setting of it in a build.
pub(crate) fn named(option: &str) -> String {
    if is_in_build() {
        ask_plain(option)
    } else {
        option.to_owned()
    }
}

/// A value that stands for itself.
pub(crate) fn ask_plain(option: &str) -> String {
    ask(option, &[]).map_or_else(|| format!("`{option}`"), |text| format!("`{text}`"))
}

fn written(voice: &Voice, option: &str, values: &[Cow<'_, str>]) -> String {
    let of_option = settings::of_option(option);
    let (template, word) = of_option.map(|it| it.template(option)).unwrap_or_default();
    if let Some(build) = &voice.build {
        let values: Vec<String> = values.iter().map(|value| nix_text(value)).collect();
        let value = match values.as_slice() {
            [] => word.to_owned(),
            values => values.join("\" \""),
        };
        return build.written(&template.replace("{}", &value));
    }
    let given: Vec<String> = values
        .iter()
        .map(|value| format!("{option} {}", shell_word(value)))
        .collect();
    match (given.as_slice(), word) {
        ([], "") => option.to_owned(),
        ([], word) => format!("{option} {word}"),
        (given, _) => given.join(" "),
    }
}

/// Something that is known to mend.
pub(crate) trait Mendable: Display {
    /// Remedies, each of which mends it.
    fn remedies(&self) -> Vec<Remedy>;
}

/// With the remedies that the command at hand has, a line each.
pub(crate) fn advised<T: Mendable>(fault: T) -> impl Display {
    fmt::from_fn(move |f| {
        write!(f, "{fault}")?;
        let mut said = BTreeSet::new();
        for line in fault.remedies().iter().flat_map(lines) {
            if said.insert(line.clone()) {
                write!(f, "{BREAK}  fix: {line}")?;
            }
        }
        Ok(())
    })
}

impl Mendable for &Fault {
    fn remedies(&self) -> Vec<Remedy> {
        Fault::remedies(self)
    }
}

impl Mendable for &Told<'_> {
    fn remedies(&self) -> Vec<Remedy> {
        self.fault().remedies()
    }
}

impl Mendable for &UnbundleFault {
    fn remedies(&self) -> Vec<Remedy> {
        UnbundleFault::remedies(self)
    }
}

impl Mendable for &FileFault {
    fn remedies(&self) -> Vec<Remedy> {
        FileFault::remedies(self)
    }
}

impl Mendable for &WheelWarning {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            WheelWarning::NixSupport(path) => vec![Remedy::exclude(path)],
            _ => Vec::new(),
        }
    }
}

impl Mendable for &InstallWarning {
    fn remedies(&self) -> Vec<Remedy> {
        InstallWarning::remedies(self)
    }
}

impl Mendable for String {
    fn remedies(&self) -> Vec<Remedy> {
        Vec::new()
    }
}

/// Lines to write or to run, one for each way; a comment after `#` is one for the shell and for Nix.
pub(crate) fn lines(remedy: &Remedy) -> Vec<String> {
    let voice = voice();
    match remedy {
        Remedy::AddLibPath {
            library,
            newer,
            needed_by,
            candidates,
        } => add_lib_path(voice, (library, *newer), needed_by, candidates),
        Remedy::AddDefiner { .. } => {
            let why = "where PREFIX has what defines them, as a wheel that this one requires";
            let line = add(voice, "--lib-path", &["PREFIX".into()], why);
            line.into_iter().collect()
        }
        Remedy::Exclude { paths } if paths.len() <= NAMED => {
            let globs: Vec<Cow<'_, str>> = paths.iter().map(|path| glob(path).into()).collect();
            add(voice, "--exclude", &globs, "if nothing needs it")
                .into_iter()
                .collect()
        }
        Remedy::IgnoreMissing { names } => excuse(voice, "--ignore-missing", names),
        Remedy::IgnoreSymbol { names } => excuse(voice, "--ignore-symbol", names),
        Remedy::AddRule { class, about } => add_rule(voice, *class, about).into_iter().collect(),
        Remedy::LibraryTable {
            library,
            candidates,
        } => by_table(voice, library, candidates).into_iter().collect(),
        Remedy::Prefer {
            directories,
            needed_by,
        } => prefer(voice, directories, needed_by),
        Remedy::Patch { paths } => relocate(voice, paths, ""),
        Remedy::DriverPathFirst { paths } if !voice.edits() => relocate(voice, paths, ""),
        Remedy::SetInterpreter { paths } => set_interpreter(voice, paths),
        Remedy::ClearExecStack { path } => vec![format!(
            "wheelfix patchelf --clear-execstack {}  # if its code can do without",
            shell_word(&path.to_string_lossy())
        )],
        Remedy::DontStrip { .. } if voice.is_in_build() => vec!["dontStrip = true;".to_owned()],
        Remedy::DontStrip { path } => {
            vec![format!(
                "take `{}` as it was before `strip`",
                path.display()
            )]
        }
        Remedy::Rebuild { .. } => {
            vec!["build or fetch the wheel anew for this target, whole".to_owned()]
        }
        Remedy::AcceptMismatch { paths } => accept(voice, paths).into_iter().collect(),
        Remedy::LeaveOut { inputs } if !voice.is_in_build() => vec![leave_out(inputs)],
        Remedy::Remove { choice, value } => vec![remove(voice, *choice, value)],
        Remedy::RemoveRule { name, file } => vec![format!(
            "take rule `{name}` out of `{}`, or correct its globs",
            file.display()
        )],
        _ => Vec::new(),
    }
}

/// Inputs to leave out, as words of a shell.
fn leave_out(inputs: &[PathBuf]) -> String {
    let inputs = inputs
        .iter()
        .map(|path| shell_word(&path.to_string_lossy()));
    format!("leave out {}", inputs.collect::<Vec<_>>().join(" "))
}

/// The option that accepts files of a wheel.
fn accept(voice: &Voice, paths: &[String]) -> Option<String> {
    let globs = globs(paths).into_iter().map(Cow::Owned);
    let globs: Vec<Cow<'_, str>> = globs.collect();
    let why = match paths {
        [_] => "if you know its content",
        _ => "if you know what is there",
    };
    add(voice, "--accept-mismatch", &globs, why)
}

/// An option to add, or the line of a setting.
fn add(voice: &Voice, option: &str, values: &[Cow<'_, str>], why: &str) -> Option<String> {
    if !voice.has(option) {
        return None;
    }
    let verb = if voice.is_in_build() { "" } else { "add " };
    let text = written(voice, option, values);
    let comment = if why.is_empty() { "" } else { "  # " };
    Some(format!("{verb}{text}{comment}{why}"))
}

/// The option for a table, with what has to be on a library path for it.
fn by_table(voice: &Voice, library: &str, candidates: &[Candidate]) -> Option<String> {
    let attributes = candidates.iter().filter_map(|candidate| match candidate {
        Candidate::Nixpkgs(attribute) => Some(attribute.as_str()),
        _ => None,
    });
    let attributes: Vec<&str> = attributes.collect();
    let lib_path = ask_plain("--lib-path");
    let why = if attributes.is_empty() {
        format!("Python finds `{library}` by its name then, on {lib_path} or in the driver path")
    } else {
        let attributes = attributes.join("` or `");
        format!("with {lib_path} of `{attributes}`: Python finds `{library}` by its name then")
    };
    add(voice, "--library-table", &[], &why)
}

fn excuse(voice: &Voice, option: &str, names: &[String]) -> Vec<String> {
    let names: Vec<Cow<'_, str>> = names.iter().map(|name| escaped_glob(name).into()).collect();
    let why = "if all works without it";
    add(voice, option, &names, why).into_iter().collect()
}

/// A directory of libraries: where a command only looks, run paths have to lead there.
fn add_lib_path(
    voice: &Voice,
    (library, newer): (&str, bool),
    needed_by: &BTreeSet<PathBuf>,
    candidates: &[Candidate],
) -> Vec<String> {
    let what = if newer {
        format!("a newer `{library}`")
    } else {
        format!("`{library}`")
    };
    let of = |directory: &str, comment: &str| {
        let comment = match comment {
            "" => String::new(),
            text => format!("  # {text}"),
        };
        match voice {
            _ if voice.is_in_build() => vec![format!("{}{comment}", libraries_in_nix(directory))],
            _ if voice.edits() => vec![format!("add --lib-path {directory}{comment}")],
            _ => {
                let option = format!(" --lib-path {directory}{comment}");
                relocate(voice, needed_by, &option)
            }
        }
    };
    if candidates.is_empty() {
        return of("DIR", &format!("where DIR has {what}"));
    }
    let each = candidates.iter().flat_map(|candidate| match candidate {
        Candidate::Directory(path) if voice.is_in_build() => {
            of(&nix_string(&path.to_string_lossy()), &what)
        }
        Candidate::Directory(path) => of(&shell_word(&path.to_string_lossy()), ""),
        Candidate::Nixpkgs(attribute) => of_nixpkgs(voice, attribute, &what, &of),
        Candidate::Wheel(name) if voice.is_in_build() => of(
            name,
            &format!("the package of the wheel `{name}`, for {what}"),
        ),
        Candidate::Wheel(name) => of(
            "PREFIX",
            &format!("where PREFIX has the wheel `{name}`, for {what}"),
        ),
    });
    each.collect()
}

/// The line for a package of nixpkgs, with what has to be allowed for it.
fn of_nixpkgs(
    voice: &Voice,
    attribute: &str,
    what: &str,
    of: &dyn Fn(&str, &str) -> Vec<String>,
) -> Vec<String> {
    let refusal = nixpkgs::refusal(attribute);
    let note = refusal.map(|refusal| format!(", {}", refusal.comment(attribute)));
    let comment = format!("{what}{}", note.unwrap_or_default());
    if refusal == Some(Refusal::Removed) {
        return of("DIR", &format!("where DIR has {comment}"));
    }
    if voice.is_in_build() {
        let setting = refusal.and_then(Refusal::setting);
        let allowed = setting.map(|setting| format!(": nixpkgs with `config.{setting}`"));
        let comment = format!("{comment}{}", allowed.unwrap_or_default());
        return of(&format!("(lib.getLib pkgs.{attribute})"), &comment);
    }
    let packages = nixpkgs::packages([attribute]);
    let expression = format!("with {packages}; lib.getLib {attribute}");
    of(&nix_build(&expression, ""), &comment)
}

/// The command that relocates files.
fn relocate(voice: &Voice, paths: &BTreeSet<PathBuf>, options: &str) -> Vec<String> {
    if voice.is_in_build() {
        return vec!["relocate it, with `wheelfixPatchHook` or `action = \"patch\"`".to_owned()];
    }
    if NAMED < paths.len() {
        return vec![format!(
            "wheelfix patch PATH{options}  # where PATH has all of them"
        )];
    }
    let words: Vec<String> = paths
        .iter()
        .map(|path| shell_word(&path.to_string_lossy()))
        .collect();
    vec![format!("wheelfix patch {}{options}", words.join(" "))]
}

fn set_interpreter(voice: &Voice, paths: &BTreeSet<PathBuf>) -> Vec<String> {
    if voice.edits() {
        let why = "the dynamic loader of the target";
        return add(voice, "--interpreter", &[], why).into_iter().collect();
    }
    relocate(voice, paths, " --python EXE  # whose interpreter they get")
}

fn prefer(voice: &Voice, directories: &[PathBuf], needed_by: &BTreeSet<PathBuf>) -> Vec<String> {
    let first = directories.first().map(|path| path.to_string_lossy());
    if let Some(first) = first.as_deref().filter(|_| !voice.edits()) {
        let option = format!(" --lib-path {}", shell_word(first));
        return relocate(voice, needed_by, &option);
    }
    let why = "before the others, or another of the candidates";
    let first = first.and_then(|first| add(voice, "--lib-path", &[first], why));
    first.into_iter().collect()
}

fn add_rule(voice: &Voice, class: RuleClass, about: &str) -> Option<String> {
    let with = match class {
        RuleClass::Prefer => "a `[[prefer]]` rule for",
        RuleClass::Replace => {
            "a `[[replace]]` rule, with its text or with `old = []` to leave it, for"
        }
        RuleClass::Environment => {
            "an `[[environment]]` rule, with its `value` or with `value = \"\"` to leave it, for"
        }
        RuleClass::Dlopen => "a `[[dlopen]]` rule with `optional = true` for",
    };
    add(voice, "--rules", &[], &format!("with {with} `{about}`"))
}

/// The option that makes a choice.
pub(crate) fn option(choice: Choice) -> &'static str {
    match choice {
        Choice::AcceptMismatch => "--accept-mismatch",
        Choice::AllowUnmet => "--allow-unmet",
        Choice::Backend => "--backend",
        Choice::Bundled => "--bundled",
        Choice::Exclude => "--exclude",
        Choice::IgnoreMissing => "--ignore-missing",
        Choice::IgnoreSymbol => "--ignore-symbol",
        Choice::Interpreter => "--interpreter",
        Choice::OnCollision => "--on-collision",
        Choice::Provides => "--provides",
        Choice::Relax => "--relax",
        Choice::RelaxAll => "--relax-all",
        Choice::RelaxUpper => "--relax-upper",
        Choice::RemoveDep => "--remove-dep",
        Choice::RemoveAllDeps => "--remove-all-deps",
        _ => "",
    }
}

fn remove(voice: &Voice, choice: Choice, value: &str) -> String {
    let option = option(choice);
    if !voice.is_in_build() {
        let word = match value {
            "" => String::new(),
            value => format!(" {}", shell_word(value)),
        };
        return format!("remove {option}{word}");
    }
    let name = settings::of_option(option).map(|setting| setting.name);
    let name = name.unwrap_or_default();
    match value {
        "" => format!("remove `wheelfix.{name}`"),
        value => format!("remove \"{}\" from `wheelfix.{name}`", nix_text(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_an_option_with_a_setting() {
        for choice in [
            Choice::AcceptMismatch,
            Choice::RemoveAllDeps,
            Choice::RelaxAll,
        ] {
            assert!(settings::of_option(option(choice)).is_some(), "{choice:?}");
        }
    }
}
