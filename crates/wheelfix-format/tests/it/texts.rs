//! The syntax of text files, against Python's standard library.

use wheelfix_format::{EntryPoints, Headers, Record};

use crate::oracle;

/// A question is a text in hexadecimal.
fn hex(text: &str) -> String {
    text.bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat()
}

fn from_hex(question: &str) -> String {
    let bytes = question
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
    String::from_utf8(bytes.collect()).unwrap()
}

const HEADERS: &str = r"
import email.parser, sys
for line in open(sys.argv[1]):
    text = bytes.fromhex(line).decode()
    message = email.parser.Parser().parsestr(text)
    fields = [(name, value.strip().replace('\r', '').replace('\n', '/')) for name, value in message.items()]
    print(fields, repr(message.get_payload().replace('\r\n', '\n')))
";

fn python_repr(text: &str) -> String {
    format!(
        "'{}'",
        text.replace('\\', "\\\\")
            .replace('\n', "\\n")
            .replace('\t', "\\t")
    )
}

#[test]
fn headers_are_read_as_the_email_package_does() {
    let texts = [
        "A: 1\nB:2\n\nbody\n",
        "A: 1\r\nB: 2\r\n\r\nbody",
        "A: 1\n  2\n \nB: 3\n",
        "A:\nB: 1\n",
        "A: 1\noops\nB: 2\n",
        "A: 1",
        "",
        "\nA: 1\n",
        "A: a:b: c\n",
        "A-b.c: 1\n",
        "Description: x\n        y\n       |z\nB: 1\n",
    ];
    let questions: Vec<String> = texts.iter().map(|text| hex(text)).collect();
    oracle::compare(HEADERS, &questions, |question| {
        let headers = Headers::parse(from_hex(question));
        let fields = headers.fields().map(|field| {
            let value = field.value.replace('\r', "").replace('\n', "/");
            format!("({}, {})", python_repr(field.name), python_repr(&value))
        });
        let fields: Vec<String> = fields.collect();
        format!(
            "[{}] {}",
            fields.join(", "),
            python_repr(&headers.body().replace("\r\n", "\n"))
        )
    });
}

const RECORDS: &str = r"
import csv, io, sys
for line in open(sys.argv[1]):
    rows = csv.reader(io.StringIO(bytes.fromhex(line).decode()))
    out = io.StringIO()
    csv.writer(out, lineterminator='\n').writerows(sorted(rows))
    print(out.getvalue().encode().hex())
";

#[test]
fn rows_are_quoted_and_sorted_as_the_csv_module_does() {
    let hash = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
    let texts = [
        format!("b.py,{hash},0\na.py,{hash},10\nA.py,,\n"),
        format!("\"a,b.py\",{hash},0\n\"say \"\"x\"\".py\",{hash},1\n"),
        format!("../../bin/x,{hash},5\r\na,,\r\n"),
        "\u{e9}.py,,\nz.py,,\n\u{1f600}.py,,\n\u{ffff}.py,,\n".to_owned(),
        "a b.py,,\na'b.py,,\n".to_owned(),
        String::new(),
    ];
    let questions: Vec<String> = texts.iter().map(|text| hex(text)).collect();
    oracle::compare(RECORDS, &questions, |question| {
        hex(&Record::parse(&from_hex(question)).unwrap().to_string())
    });
}

const ENTRY_POINTS: &str = r"
import importlib.metadata, sys
for line in open(sys.argv[1]):
    points = importlib.metadata.EntryPoints._from_text(bytes.fromhex(line).decode())
    print(*sorted(f'{point.group}/{point.name}/{point.module}/{point.attr or str()}/' + '+'.join(point.extras)
        for point in points))
";

#[test]
fn entry_points_are_read_as_importlib_does() {
    let texts = [
        "[console_scripts]\nf2py = numpy.f2py.f2py2e:main\n",
        "[console_scripts]\n    a = m:f\n    b = m:g\n\n[other.group]\nx=m\n",
        "# comment\n[console_scripts]\na-b.c = m.n:f.g [extra1, extra2]\n",
        "[g]\nblackd=blackd:patched_main [d]\n",
        "",
    ];
    let questions: Vec<String> = texts.iter().map(|text| hex(text)).collect();
    oracle::compare(ENTRY_POINTS, &questions, |question| {
        let points = EntryPoints::parse(&from_hex(question)).unwrap();
        let lines = points.groups.iter().flat_map(|(group, points)| {
            points.iter().map(move |point| {
                let object = &point.object;
                let attr = object.attr.as_deref().unwrap_or_default();
                format!(
                    "{group}/{}/{}/{attr}/{}",
                    point.name,
                    object.module,
                    object.extras.join("+")
                )
            })
        });
        let mut lines: Vec<String> = lines.collect();
        lines.sort();
        lines.join(" ")
    });
}
