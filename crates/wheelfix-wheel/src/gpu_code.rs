//! The GPUs that a library holds code for.
//!
//! NVIDIA's containers are not documented; their layout is that which `cuobjdump` reads. AMD's and
//! Intel's are clang's offload bundles:
//! <https://clang.llvm.org/docs/ClangOffloadBundler.html#bundled-binary-file-layout>.

use std::collections::BTreeSet;
use std::io::Read;

use wheelfix_elf::{Elf, SectionHeader};
use wheelfix_format::LibraryName;

/// The code for GPUs in one file.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct GpuCode {
    /// The platform that the file is linked with: `CUDA 13`, `ROCm`, `oneAPI`. `None` if it is linked
    /// with none.
    pub platform: Option<String>,
    /// The machines there is code for: `sm_90`, `gfx942`, or `compute_90` for code that the driver
    /// translates for later machines as well.
    pub targets: BTreeSet<String>,
}

/// The magic number at the beginning of each of NVIDIA's containers.
const CUDA_MAGIC: [u8; 4] = [0x50, 0xed, 0x55, 0xba];
const BUNDLE_MAGIC: &[u8] = b"__CLANG_OFFLOAD_BUNDLE__";
const COMPRESSED_MAGIC: &[u8] = b"CCOB";

/// More machines than any bundle is for.
const MAX_BUNDLE_ENTRIES: u64 = 256;

/// The table of a bundle is at its beginning; of a compressed one so much is looked at.
const MAX_TABLE_LEN: u64 = 64 << 10;

impl GpuCode {
    /// Finds the code for GPUs in a file; `None` if there is none and it is linked with no platform.
    /// Without the file's bytes only the platform is found.
    pub fn find(elf: &Elf, bytes: Option<&[u8]>) -> Option<Self> {
        let targets = bytes.map_or_else(BTreeSet::new, |bytes| targets(elf, bytes));
        let needed = elf.dynamic.iter().flat_map(|dynamic| &dynamic.needed);
        let platform = needed.filter_map(|name| platform(name)).max();
        (platform.is_some() || !targets.is_empty()).then_some(Self { platform, targets })
    }
}

/// The machines for which the sections of a file have code.
fn targets(elf: &Elf, bytes: &[u8]) -> BTreeSet<String> {
    let mut targets = BTreeSet::new();
    for section in &elf.sections {
        match section.name.as_str() {
            ".nv_fatbin" | "__nv_relfatbin" => cuda(content(section, bytes), &mut targets),
            ".hip_fatbin" => bundles(content(section, bytes), &mut targets),
            name => {
                let triple = name.strip_prefix("__CLANG_OFFLOAD_BUNDLE__");
                targets.extend(triple.and_then(machine));
            }
        }
    }
    targets
}

fn content<'a>(section: &SectionHeader, bytes: &'a [u8]) -> &'a [u8] {
    let start = usize::try_from(section.offset).unwrap_or(usize::MAX);
    let end = usize::try_from(section.file_end()).unwrap_or(usize::MAX);
    bytes.get(start..end).unwrap_or_default()
}

/// The platform that a needed library belongs to. Sorted, the most telling name is the last.
fn platform(name: &str) -> Option<String> {
    let name = LibraryName::parse(name)?;
    let major = name.version().split('.').next().unwrap_or_default();
    match name.stem() {
        "libcudart" | "libcublas" | "libnvrtc" => {
            Some(format!("CUDA {major}").trim_end().to_owned())
        }
        "libsycl" | "libze_loader" => Some("oneAPI".to_owned()),
        stem if stem.starts_with("libamdhip")
            || stem.starts_with("libhip")
            || stem.starts_with("libroc") =>
        {
            Some("ROCm".to_owned())
        }
        _ => None,
    }
}

/// Goes through containers: a header of magic, version, its own length and the length of what follows,
/// which is entries, each with a header that names the machine.
fn cuda(mut section: &[u8], targets: &mut BTreeSet<String>) {
    while let Some(rest) = skip_zeros(section) {
        if rest.get(..4) != Some(&CUDA_MAGIC) {
            return;
        }
        let lens = (u16_at(rest, 6).map(u64::from), u64_at(rest, 8));
        let (Some(header_len), Some(len)) = lens else {
            return;
        };
        let Some(end) = header_len
            .checked_add(len)
            .and_then(|end| usize::try_from(end).ok())
        else {
            return;
        };
        let entries = usize::try_from(header_len)
            .ok()
            .and_then(|start| rest.get(start..end));
        let Some(entries) = entries.filter(|entries| !entries.is_empty()) else {
            return;
        };
        cuda_entries(entries, targets);
        section = rest.get(end..).unwrap_or_default();
    }
}

fn cuda_entries(mut entries: &[u8], targets: &mut BTreeSet<String>) {
    while let (Some(kind), Some(header_len), Some(len), Some(machine)) = (
        u16_at(entries, 0),
        u32_at(entries, 4),
        u64_at(entries, 8),
        u32_at(entries, 28),
    ) {
        match kind {
            1 => drop(targets.insert(format!("compute_{machine}"))),
            2 => drop(targets.insert(format!("sm_{machine}"))),
            _ => {}
        }
        let end = u64::from(header_len)
            .checked_add(len)
            .and_then(|end| usize::try_from(end).ok());
        match end
            .filter(|end| *end != 0)
            .and_then(|end| entries.get(end..))
        {
            Some(rest) => entries = rest,
            None => return,
        }
    }
}

/// Goes through offload bundles, plain or compressed.
fn bundles(mut section: &[u8], targets: &mut BTreeSet<String>) {
    while let Some(rest) = skip_zeros(section) {
        if rest.starts_with(BUNDLE_MAGIC) {
            table(rest, targets);
            // The length of a plain one is not stated; its entries follow each other.
            return;
        }
        let Some((header_len, len)) = compressed_lens(rest) else {
            return;
        };
        let mut plain = Vec::new();
        let data = rest
            .get(header_len..len.min(rest.len()))
            .unwrap_or_default();
        let decoder = zstd::stream::read::Decoder::new(data);
        if decoder.is_ok_and(|decoder| decoder.take(MAX_TABLE_LEN).read_to_end(&mut plain).is_ok())
        {
            table(&plain, targets);
        }
        match rest.get(len.max(header_len)..) {
            Some(next) => section = next,
            None => return,
        }
    }
}

/// Length of the header of a compressed bundle, and of all of it.
fn compressed_lens(bundle: &[u8]) -> Option<(usize, usize)> {
    if !bundle.starts_with(COMPRESSED_MAGIC) {
        return None;
    }
    match u16_at(bundle, 4)? {
        2 => Some((24, usize::try_from(u32_at(bundle, 8)?).ok()?)),
        3 => Some((32, usize::try_from(u64_at(bundle, 8)?).ok()?)),
        _ => None,
    }
}

/// The table of a bundle: a number of entries, each with offset, length and triple.
fn table(bundle: &[u8], targets: &mut BTreeSet<String>) {
    let mut rest = bundle.get(BUNDLE_MAGIC.len()..).unwrap_or_default();
    let number = u64_at(rest, 0).unwrap_or_default().min(MAX_BUNDLE_ENTRIES);
    rest = rest.get(8..).unwrap_or_default();
    for _ in 0..number {
        let Some(len) = u64_at(rest, 16).and_then(|len| usize::try_from(len).ok()) else {
            return;
        };
        let Some(triple) = len.checked_add(24).and_then(|end| rest.get(24..end)) else {
            return;
        };
        targets.extend(str::from_utf8(triple).ok().and_then(machine));
        rest = rest.get(24 + len..).unwrap_or_default();
    }
}

/// The machine in a triple: `gfx90a` of `hipv4-amdgcn-amd-amdhsa--gfx90a:xnack+`, `spir64_gen` of
/// `sycl-spir64_gen`. `None` for the host.
fn machine(triple: &str) -> Option<String> {
    let machine = triple.rsplit('-').next()?.split(':').next()?;
    let is_host = triple.starts_with("host") || machine.is_empty();
    (!is_host
        && machine
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
    .then(|| machine.to_owned())
}

/// The bytes behind padding; `None` at the end.
fn skip_zeros(bytes: &[u8]) -> Option<&[u8]> {
    let start = bytes.iter().position(|byte| *byte != 0)?;
    bytes.get(start..)
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuda_entry(kind: u16, machine: u32, payload: usize) -> Vec<u8> {
        let mut entry = vec![0; 64 + payload];
        entry[..2].copy_from_slice(&kind.to_le_bytes());
        entry[4..8].copy_from_slice(&64_u32.to_le_bytes());
        entry[8..16].copy_from_slice(&(payload as u64).to_le_bytes());
        entry[28..32].copy_from_slice(&machine.to_le_bytes());
        entry
    }

    fn cuda_container(entries: &[Vec<u8>]) -> Vec<u8> {
        let entries = entries.concat();
        let mut container = CUDA_MAGIC.to_vec();
        container.extend([1, 0, 16, 0]);
        container.extend((entries.len() as u64).to_le_bytes());
        container.extend(entries);
        container
    }

    fn bundle(triples: &[&str]) -> Vec<u8> {
        let mut bundle = BUNDLE_MAGIC.to_vec();
        bundle.extend((triples.len() as u64).to_le_bytes());
        for triple in triples {
            bundle.extend([0; 16]);
            bundle.extend((triple.len() as u64).to_le_bytes());
            bundle.extend(triple.as_bytes());
        }
        bundle
    }

    fn found(read: fn(&[u8], &mut BTreeSet<String>), bytes: &[u8]) -> Vec<String> {
        let mut targets = BTreeSet::new();
        read(bytes, &mut targets);
        targets.into_iter().collect()
    }

    #[test]
    fn cuda_containers_name_their_machines() {
        let mut section = cuda_container(&[cuda_entry(2, 80, 24), cuda_entry(1, 90, 8)]);
        section.extend([0; 40]);
        section.extend(cuda_container(&[cuda_entry(2, 120, 0)]));
        assert_eq!(found(cuda, &section), ["compute_90", "sm_120", "sm_80"]);
    }

    #[test]
    fn bundles_name_their_machines() {
        let plain = bundle(&[
            "host-x86_64-unknown-linux--",
            "hipv4-amdgcn-amd-amdhsa--gfx90a:xnack+",
            "hip-amdgcn--gfx942",
        ]);
        assert_eq!(found(bundles, &plain), ["gfx90a", "gfx942"]);
        let packed = zstd::encode_all(plain.as_slice(), 3).unwrap();
        let mut section = b"CCOB\x02\x00\x01\x00".to_vec();
        section.extend((24 + u32::try_from(packed.len()).unwrap()).to_le_bytes());
        section.extend([0; 12]);
        section.extend(packed);
        section.extend([0; 100]);
        assert_eq!(found(bundles, &section), ["gfx90a", "gfx942"]);
    }

    #[test]
    fn damage_ends_the_search() {
        let mut sound = cuda_container(&[cuda_entry(2, 80, 24), cuda_entry(1, 90, 8)]);
        sound.extend(bundle(&["hip-amdgcn--gfx942"]));
        for offset in 0..sound.len() {
            for byte in [0, 0x7f, 0xff] {
                let mut damaged = sound.clone();
                damaged[offset] = byte;
                found(cuda, &damaged);
                found(bundles, &damaged[sound.len() - 60..]);
            }
            found(cuda, &sound[..offset]);
            found(bundles, &sound[offset..]);
        }
    }

    #[test]
    fn platforms_are_known_by_their_libraries() {
        let rows = [
            ("libcudart.so.13", Some("CUDA 13")),
            ("libcudart.3eda8113.so.13", Some("CUDA 13")),
            ("libcublas.so.12", Some("CUDA 12")),
            ("libamdhip64.so.7", Some("ROCm")),
            ("libhipblas.so.3", Some("ROCm")),
            ("libsycl.so.8", Some("oneAPI")),
            ("libc.so.6", None),
        ];
        for (name, want) in rows {
            assert_eq!(platform(name).as_deref(), want, "{name}");
        }
    }
}
