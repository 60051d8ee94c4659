//! Programs.

use wheelfix_testkit::elf::Tool;

use super::Bench;

#[test]
fn programs_need_their_interpreter() {
    let bench = Bench::new();
    fs_err::write(bench.path("main.c"), "int main(void) { return 0; }").unwrap();
    Tool::CC
        .run_in(&bench.root(), &["-o", "works", "main.c"])
        .expect();
    Tool::CC
        .run_in(&bench.root(), &["-static", "-o", "static", "main.c"])
        .expect();
    Tool::CC
        .run_in(
            &bench.root(),
            &["-static-pie", "-o", "static-pie", "main.c"],
        )
        .expect();
    let flag = "-Wl,--dynamic-linker=/nonexistent/ld.so";
    Tool::CC
        .run_in(&bench.root(), &["-o", "fails", "main.c", flag])
        .expect();
    let agreed = bench.agree();
    assert_eq!(agreed.failing(), ["fails"]);
    let faults = agreed.document["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0]["interpreter"], "/nonexistent/ld.so");
}
