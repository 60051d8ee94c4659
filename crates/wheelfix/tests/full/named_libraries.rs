//! Python packages that open libraries by name, in the bed.

use wheelfix_testkit::cache;

use crate::named_library::{Row, Without, run_all, shipped};

/// The libraries that compiled modules need.
const COMPILERS: &[&str] = &["libgcc-s1", "libstdc++6", "zlib1g", "libexpat1"];

/// A row for each environment of `test-wheels/rodeo.toml` that is of this test.
const ROWS: &[Row] = &[
    Row {
        name: "pyglet",
        packages: &[
            "libgl1",
            "libx11-6",
            "libglu1-mesa",
            "libxext6",
            "libxi6",
            "libxinerama1",
            "libxrandr2",
            "libfontconfig1",
            "libfreetype6",
            "libxxf86vm1",
            "libxrender1",
            "libegl1",
            "libxkbcommon0",
            "libgbm1",
            "libpulse0",
        ],
        without: Without::Told("libGL"),
        code: "import pyglet; pyglet.options['shadow_window'] = False; from pyglet.libs.x11 import xlib, xrender; import pyglet.lib; from pyglet.font import freetype; assert freetype.ft_get_library() and xrender.lib and not xlib._lib.XOpenDisplay(None); from pyglet.gl import lib_glx; from pyglet.libs.egl import egl; assert lib_glx.gl_lib.glGetError and egl._lib.eglGetError() == 12288",
        ..Row::NONE
    },
    Row {
        name: "pyopengl",
        packages: &["libgl1", "libglu1-mesa", "libegl1"],
        without: Without::Told("libGL"),
        code: "from OpenGL import GL, GLU; assert GL.glGetString; p=__import__('OpenGL.platform',fromlist=['x']).PLATFORM; assert p.GL.glGetString and p.GLU.gluErrorString; assert GLU.gluErrorString(GLU.GLU_OUT_OF_MEMORY)",
        ..Row::NONE
    },
    Row {
        name: "sounddevice",
        packages: &["libportaudio2"],
        runtime: COMPILERS,
        without: Without::Refused("portaudio"),
        code: "import sounddevice; assert sounddevice.get_portaudio_version()[1].startswith('PortAudio V19')",
        ..Row::NONE
    },
    Row {
        name: "python-magic",
        packages: &["libmagic1"],
        without: Without::Told("file"),
        code: "import magic; assert magic.version()",
        ..Row::NONE
    },
    Row {
        name: "soundcard",
        packages: &["libpulse0"],
        runtime: COMPILERS,
        without: Without::Refused("libpulseaudio"),
        code: "import sys; sys.argv = ['x', 'y']\n\
            try: import soundcard.pulseaudio as p\n\
            except AssertionError: pass\n\
            assert 'soundcard.pulseaudio' not in sys.modules or p",
        ..Row::NONE
    },
    Row {
        name: "hid",
        packages: &["libhidapi-hidraw0"],
        without: Without::Refused("hidapi"),
        code: "import hid; assert hid.hidapi.hid_init() == 0; hid.enumerate()",
        ..Row::NONE
    },
    Row {
        name: "cairocffi",
        packages: &[
            "libcairo2",
            "libgdk-pixbuf-2.0-0",
            "libglib2.0-0",
            "libgtk-3-0",
        ],
        runtime: COMPILERS,
        without: Without::Refused("cairo"),
        code: "import cairocffi as c, cairocffi.pixbuf as p; assert p.gdk and p.glib; s=c.ImageSurface(c.FORMAT_ARGB32,4,4); assert c.cairo_version() > 11000",
        ..Row::NONE
    },
    Row {
        name: "weasyprint",
        packages: &[
            "libpango-1.0-0",
            "libpangoft2-1.0-0",
            "libglib2.0-0",
            "libharfbuzz0b",
            "libfontconfig1",
        ],
        runtime: COMPILERS,
        without: Without::Refused("pango"),
        stubs: &["libharfbuzz-subset.so.0", "libharfbuzz-vector.so.0"],
        code: "import weasyprint, weasyprint.pdf.fonts as f; f.harfbuzz_subset = f.harfbuzz_vector = None; assert weasyprint.HTML(string='<p>x').write_pdf()[:4]==b'%PDF'",
    },
    Row {
        name: "pyenchant",
        packages: &["libenchant-2-2"],
        without: Without::Refused("enchant"),
        code: "import enchant, tempfile; assert enchant.get_enchant_version().startswith('2.'); w = enchant.request_pwl_dict(tempfile.mkstemp()[1]); w.add('abc'); assert w.check('abc') and not w.check('abx')",
        ..Row::NONE
    },
    Row {
        name: "python-vlc",
        packages: &["libvlc5"],
        without: Without::Told("libvlc"),
        code: "import vlc; assert vlc.libvlc_get_version().startswith(b'3.')",
        ..Row::NONE
    },
    Row {
        name: "pyusb",
        packages: &["libusb-1.0-0"],
        without: Without::Told("libusb1"),
        code: "import usb.backend.libusb1 as b, usb.core; x = b.get_backend(); assert x is not None and list(x.enumerate_devices()) is not None",
        ..Row::NONE
    },
    Row {
        name: "pygame",
        packages: &["libx11-6", "libxext6", "libglib2.0-0"],
        runtime: COMPILERS,
        without: Without::Refused("libx11"),
        code: "import os\n\
            os.environ['SDL_VIDEODRIVER']='dummy'\n\
            import pygame, pygame.midi; pygame.midi.init(); assert pygame.midi.get_count() >= 0",
        ..Row::NONE
    },
    Row {
        name: "pylibdmtx",
        packages: &["libdmtx0b"],
        runtime: COMPILERS,
        without: Without::Told("libdmtx"),
        code: "from pylibdmtx.pylibdmtx import encode, decode; from PIL import Image; e=encode(b'abc'); i=Image.frombytes('RGB',(e.width,e.height),e.pixels); assert decode(i)[0].data==b'abc'",
        ..Row::NONE
    },
    Row {
        name: "pynvml",
        packages: &[],
        code: "import pynvml; pynvml.nvmlInit(); assert pynvml.nvmlSystemGetDriverVersion() == '7'",
        ..Row::NONE
    },
    Row {
        name: "soundfile",
        packages: &[],
        runtime: COMPILERS,
        code: "import soundfile, numpy, io; b=io.BytesIO(); soundfile.write(b, numpy.zeros(100), 8000, format='WAV'); b.seek(0); assert len(soundfile.read(b)[0])==100",
        ..Row::NONE
    },
    Row {
        name: "pyzbar",
        packages: &["libzbar0"],
        without: Without::Told("zbar"),
        code: "from pyzbar import pyzbar, wrapper; assert pyzbar.decode((b'\\xff'*10000,100,100))==[]",
        ..Row::NONE
    },
    Row {
        name: "libarchive-c",
        packages: &["libarchive13"],
        without: Without::Told("libarchive"),
        code: "import libarchive; o=[]\n\
            with libarchive.custom_writer(lambda b: o.append(bytes(b)) or len(b),'ustar') as a: a.add_file_from_memory('f',3,b'abc')\n\
            with libarchive.memory_reader(b''.join(o)) as a: r=[e.pathname for e in a]\n\
            assert r==['f'], r",
        ..Row::NONE
    },
    Row {
        name: "pysdl2",
        packages: &["libsdl2-2.0-0"],
        without: Without::Told("SDL2"),
        code: "import sdl2; assert sdl2.SDL_Init(sdl2.SDL_INIT_TIMER)==0; v=sdl2.SDL_version(); sdl2.SDL_GetVersion(v); assert v.major==2",
        ..Row::NONE
    },
    Row {
        name: "cairosvg",
        packages: &["libcairo2"],
        runtime: COMPILERS,
        without: Without::Refused("cairo"),
        code: "import cairosvg; assert cairosvg.svg2png(bytestring=b'<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"4\" height=\"4\"/>')[1:4]==b'PNG'",
        ..Row::NONE
    },
    Row {
        name: "psycopg",
        packages: &["libpq5"],
        runtime: COMPILERS,
        without: Without::Told("libpq"),
        code: "import psycopg; assert psycopg.pq.__impl__=='python'; assert psycopg.pq.version()>150000; assert psycopg.conninfo.conninfo_to_dict('dbname=a')=={'dbname':'a'}",
        ..Row::NONE
    },
    Row {
        name: "pulsectl",
        packages: &["libpulse0"],
        without: Without::Refused("libpulseaudio"),
        code: "import pulsectl._pulsectl as p; assert p.pa.strerror(0) is not None",
        ..Row::NONE
    },
    Row {
        name: "libusb1",
        packages: &["libusb-1.0-0"],
        without: Without::Told("libusb1"),
        code: "import usb1; assert usb1.getVersion().major==1",
        ..Row::NONE
    },
    Row {
        name: "jack-client",
        packages: &["libjack-jackd2-0"],
        runtime: COMPILERS,
        without: Without::Refused("libjack2"),
        code: "import jack; assert jack.client_name_size if hasattr(jack, 'client_name_size') else jack._lib.jack_client_name_size() > 1",
        ..Row::NONE
    },
    Row {
        name: "libnacl",
        packages: &["libsodium23"],
        without: Without::Told("libsodium"),
        code: "import libnacl; assert len(libnacl.crypto_hash(b'a'))==64",
        ..Row::NONE
    },
    Row {
        name: "pyseccomp",
        packages: &["libseccomp2"],
        without: Without::Refused("libseccomp"),
        code: "import pyseccomp; assert pyseccomp.resolve_syscall(pyseccomp.Arch.X86_64, 'read') == 0",
        ..Row::NONE
    },
    Row {
        name: "pyudev",
        packages: &["libudev1"],
        without: Without::Told("systemdLibs"),
        code: "import pyudev; pyudev.Context()",
        ..Row::NONE
    },
    Row {
        name: "libevdev",
        packages: &["libevdev2"],
        without: Without::Told("libevdev"),
        code: "import libevdev; assert libevdev.evbit('EV_KEY').value==1",
        ..Row::NONE
    },
    Row {
        name: "pylibftdi",
        packages: &["libftdi1-2", "libusb-1.0-0"],
        without: Without::Told("libftdi1"),
        code: "from pylibftdi import Driver; assert Driver().libftdi_version().major==1",
        ..Row::NONE
    },
    Row {
        name: "discord-opus",
        packages: &["libopus0"],
        runtime: COMPILERS,
        without: Without::Told("libopus"),
        code: "import discord.opus as o; assert o._load_default() and o.is_loaded() and o.Decoder().CHANNELS == 2",
        ..Row::NONE
    },
    Row {
        name: "opuslib-next",
        packages: &["libopus0"],
        without: Without::Refused("libopus"),
        code: "import opuslib_next as o; assert len(o.Encoder(48000,1,'audio').encode(b'\\0'*1920,960))>0",
        ..Row::NONE
    },
    Row {
        name: "python-pam",
        packages: &["libpam0g"],
        without: Without::Told("pam"),
        code: "import pam; assert not pam.pam().authenticate('x','y')",
        ..Row::NONE
    },
    Row {
        name: "openslide-python",
        packages: &[],
        runtime: COMPILERS,
        stubs: &["libopenslide.so.1"],
        code: "import importlib\n\
            try: importlib.import_module('openslide')\n\
            except BaseException: pass\n\
            assert 'libopenslide.so.1' in open('/proc/self/maps').read()",
        ..Row::NONE
    },
    Row {
        name: "pyfluidsynth",
        runtime: COMPILERS,
        stubs: &["libfluidsynth.so.3"],
        code: "import importlib\n\
            try: importlib.import_module('fluidsynth')\n\
            except BaseException: pass\n\
            assert 'libfluidsynth.so.3' in open('/proc/self/maps').read()",
        ..Row::NONE
    },
    Row {
        name: "python-mpv",
        stubs: &["libmpv.so.2"],
        without: Without::Refused("mpv-unwrapped"),
        code: "import importlib\n\
            try: importlib.import_module('mpv')\n\
            except BaseException: pass\n\
            assert 'libmpv.so.2' in open('/proc/self/maps').read()",
        ..Row::NONE
    },
    Row {
        name: "wand",
        stubs: &[
            "libMagickWand-7.Q16HDRI.so.10",
            "libMagickCore-7.Q16HDRI.so.10",
        ],
        code: "import importlib\n\
            try: importlib.import_module('wand.api')\n\
            except BaseException: pass\n\
            assert 'libMagickWand-7.Q16HDRI.so.10' in open('/proc/self/maps').read()",
        ..Row::NONE
    },
    Row {
        name: "pysoundfile",
        packages: &["libsndfile1"],
        runtime: COMPILERS,
        without: Without::Refused("libsndfile"),
        code: "import soundfile; assert soundfile.__libsndfile_version__",
        ..Row::NONE
    },
    // The data of GDAL and PROJ are in the wheels.
    Row {
        name: "geodata",
        runtime: COMPILERS,
        code: "import os\n\
            assert not [name for name in os.environ if name.startswith(('GDAL', 'PROJ'))]\n\
            import pyproj, rasterio.warp as w\n\
            x, y = pyproj.Transformer.from_crs('EPSG:4326', 'EPSG:3857').transform(50, 8)\n\
            assert (round(x), round(y)) == (890556, 6446276)\n\
            assert round(w.transform('EPSG:4326', 'EPSG:25832', [8.0], [50.0])[0][0]) == 428334",
        ..Row::NONE
    },
];

#[test]
fn packages_that_open_libraries_by_name_find_them_or_say_what_is_missing() {
    run_all(ROWS, cache::environment);
}

#[test]
fn each_rule_for_a_library_has_a_package_that_needs_it() {
    let rules = shipped();
    let is_tried = |rule: &str| {
        ROWS.iter()
            .any(|row| rules.iter().any(|it| it.name == rule && row.owns(it)))
    };
    let names = rules.iter().map(|rule| rule.name.as_str());
    let untried: Vec<&str> = names.filter(|name| !is_tried(name)).collect();
    assert!(untried.is_empty(), "{untried:?}");
    let packages = ROWS
        .iter()
        .filter(|row| rules.iter().any(|rule| row.owns(rule)));
    assert!(25 <= packages.count());
}
