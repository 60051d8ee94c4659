//! The opinion of Python's packaging tools.

use std::path::Path;

use wheelfix_testkit::python;

/// Gives a script one line per question, as the file `sys.argv[1]`, and expects one line per answer.
#[track_caller]
pub(crate) fn answers(script: &str, questions: &[String]) -> Vec<String> {
    assert!(
        questions.iter().all(|question| !question.contains('\n')),
        "a question has one line"
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("questions");
    fs_err::write(&path, questions.join("\n") + "\n").unwrap();
    let text = python::run(script, &[Path::new(&path)]).unwrap();
    let answers: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), questions.len(), "one answer per question");
    answers
}

/// Compares our answers with those of a script; all differences at once.
#[track_caller]
pub(crate) fn compare(script: &str, questions: &[String], ours: impl Fn(&str) -> String) {
    let differences: Vec<String> = questions
        .iter()
        .zip(answers(script, questions))
        .filter_map(|(question, theirs)| {
            let ours = ours(question);
            (ours != theirs)
                .then(|| format!("{question}\n    ours   {ours}\n    theirs {theirs}\n"))
        })
        .collect();
    assert!(
        differences.is_empty(),
        "{} of {} differ:\n{}",
        differences.len(),
        questions.len(),
        differences.concat()
    );
}
