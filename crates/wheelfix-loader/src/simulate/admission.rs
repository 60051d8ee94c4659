//! The checks of the loader on an ELF file that its search has found.

use wheelfix_elf::dynamic_tag::flags_1;

use crate::abi::Abi;
use crate::file_view::ViewedFile;
use crate::object::Object;
use crate::simulate::process::Process;
use crate::stop::Stop;
use crate::target::LoaderKind;

/// The decision of the loader on a file.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Admission {
    /// It is loaded.
    Taken,
    /// The search goes on, as if the file were not there.
    PassedOver,
    /// The loader gives up; why, as the end of a sentence that begins with the path.
    Refused(Stop),
}

/// `EI_OSABI` of files that name no system in particular, and of those for Linux.
const OS_ABIS: [u8; 2] = [0, 3];

/// The minor version of glibc from which on no library that is opened gets an executable stack.
///
/// <https://sourceware.org/glibc/wiki/Release/2.41>
const NO_EXECUTABLE_STACK: u32 = 41;

/// The minor version of glibc from which on segments may have any alignment.
///
/// <https://sourceware.org/bugzilla/show_bug.cgi?id=28676>
const ANY_ALIGNMENT: u32 = 35;

/// Whether a file is for a machine, any where none is known, and for Linux.
pub fn runs_on(ours: Option<Abi>, abi: Abi, os_abi: u8) -> bool {
    ours.is_none_or(|ours| ours == abi) && OS_ABIS.contains(&os_abi)
}

impl Process<'_> {
    /// Whether an object is for the machine and the system of the program. Others are data to it, as
    /// code for GPUs is, and nobody has the loader open them.
    pub fn is_for_its_machine(&self, object: &Object) -> bool {
        runs_on(self.abi(), object.abi, object.os_abi)
            && !object.is_for_other_c_library(self.target.loader)
    }

    /// Whether an object may become part of this process. The first one decides what process it is.
    ///
    /// Conditions on the object alone are asked of all, the first one included; see
    /// [`wheelfix_elf::load`].
    pub(crate) fn admit(&self, object: &Object, file: &ViewedFile) -> Admission {
        let refused = |reason: &str| Admission::Refused(Stop::new(reason));
        let alone = || self.refused_alone(file);
        let Some(program) = self.loaded.first() else {
            let system = self.target.system;
            if system.is_some_and(|system| system.abi != object.abi) {
                return Admission::PassedOver;
            }
            return alone().map_or(Admission::Taken, Admission::Refused);
        };
        // In the order of `open_verify` and `_dl_map_object_from_fd` of glibc's `elf/dl-load.c`.
        let (abi, ours) = (object.abi, program.object.abi);
        let is_glibc = self.target.loader == LoaderKind::Glibc;
        if is_glibc && abi.is_64 != ours.is_64 {
            return Admission::PassedOver;
        }
        if abi.little_endian != ours.little_endian {
            return refused("has the other byte order");
        }
        if is_glibc && abi.machine != ours.machine && OS_ABIS.contains(&object.os_abi) {
            return Admission::PassedOver;
        }
        if abi != ours {
            return refused("is for another machine");
        }
        if let Some(stop) = alone() {
            return Admission::Refused(stop);
        }
        if !is_glibc {
            // It maps what it finds, and fails over it later.
            Admission::Taken
        } else if object.load_conditions.is_fixed || object.flags_1 & flags_1::PIE != 0 {
            refused("is a program")
        } else if self.is_open && object.flags_1 & flags_1::NOOPEN != 0 {
            refused("may not be opened by a program that runs (`DF_1_NOOPEN`)")
        } else {
            self.gives_stack(object)
        }
    }

    /// Why the loader does not take a file, whatever else is loaded.
    fn refused_alone(&self, file: &ViewedFile) -> Option<Stop> {
        let answers = self.view.answers(file, self.target.loader);
        let is_old = || self.glibc().is_some_and(|minor| minor < ANY_ALIGNMENT);
        let of_old = || answers.old_glibc.clone().filter(|_| is_old());
        answers.refusal.clone().or_else(of_old)
    }

    /// Whether the stack may become executable, if an object wants it.
    fn gives_stack(&self, object: &Object) -> Admission {
        if !object.load_conditions.executable_stack {
            return Admission::Taken;
        }
        let is_executable = self
            .loaded
            .iter()
            .any(|loaded| loaded.object.load_conditions.executable_stack);
        match self.glibc() {
            Some(minor) if NO_EXECUTABLE_STACK <= minor && self.is_open && !is_executable => {
                Admission::Refused(Stop::executable_stack(format!(
                    "needs an executable stack, which glibc 2.{minor} gives to no library that is opened"
                )))
            }
            _ => Admission::Taken,
        }
    }

    /// The minor version of glibc, if it is loaded.
    fn glibc(&self) -> Option<u32> {
        let is_libc = |soname: Option<&str>| soname == Some("libc.so.6");
        let mut loaded = self.loaded.iter();
        let libc = loaded.find(|loaded| is_libc(loaded.object.soname.as_deref()))?;
        let versions = libc.object.version_definitions.iter();
        versions
            .filter_map(|version| {
                let minor = version.strip_prefix("GLIBC_2.")?;
                minor.split('.').next()?.parse().ok()
            })
            .max()
    }
}
