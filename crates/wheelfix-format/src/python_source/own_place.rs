//! Paths that are made from the place of a package that Python has found, or that the user gives in a variable: no
//! library path has what they lead to.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Expr, Stmt, StmtFunctionDef};

/// Names by which a module knows its place, or its package, which `importlib.resources` takes for that.
const NAMES: [&str; 5] = [
    "__file__",
    "__path__",
    "__spec__",
    "__package__",
    "__name__",
];

/// Functions, modules and attributes for the places of packages, and for variables of the user.
const ATTRIBUTES: [&str; 9] = [
    "__file__",
    "__path__",
    "resources",
    "importlib_resources",
    "pkg_resources",
    "resource_filename",
    "getfile",
    "environ",
    "getenv",
];

/// Whether a name that the source gives no value is one of such a place.
pub(super) fn is_own_name(name: &str) -> bool {
    NAMES.contains(&name) || ATTRIBUTES.contains(&name)
}

/// Whether a variable is called as the place of something is.
pub(super) fn is_place(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let last = name.rsplit('_').next().unwrap_or_default();
    ["path", "dir", "directory", "file", "libpath", "libdir"].contains(&last)
}

/// Functions and attributes of a source that stand for places of its own.
#[derive(Debug, Default)]
pub(super) struct OwnPlaces {
    /// Variables of the module, as they are noted before it is gone through.
    variables: BTreeSet<String>,
    functions: BTreeSet<String>,
    attributes: BTreeSet<String>,
}

impl OwnPlaces {
    /// Notes what a statement of the module or of a class defines.
    pub(super) fn note(&mut self, statement: &Stmt) {
        match statement {
            Stmt::FunctionDef(function) => self.note_function(function),
            Stmt::ClassDef(class) => {
                for method in class.body.iter().filter_map(Stmt::as_function_def_stmt) {
                    self.note_function(method);
                }
            }
            Stmt::Assign(assign) if self.are_in(&assign.value, |name| self.is_noted(name)) => {
                let names = assign.targets.iter().filter_map(Expr::as_name_expr);
                self.variables.extend(names.map(|name| name.id.to_string()));
            }
            _ => {}
        }
    }

    fn note_function(&mut self, function: &StmtFunctionDef) {
        let is_own = |name: &str| self.is_noted(name);
        let mut mentions = Mentions::new(self, &is_own);
        mentions.visit_body(&function.body);
        if mentions.found {
            self.functions.insert(function.name.to_string());
        }
    }

    fn is_noted(&self, name: &str) -> bool {
        self.variables.contains(name)
    }

    /// Notes an attribute of an object that is given such a path.
    pub(super) fn add_attribute(&mut self, name: &str) {
        self.attributes.insert(name.to_owned());
    }

    /// Whether an expression has a name in it that is one of such a place, or calls a function that makes one.
    pub(super) fn are_in(&self, expr: &Expr, is_own: impl Fn(&str) -> bool) -> bool {
        let mut mentions = Mentions::new(self, &is_own);
        mentions.visit_expr(expr);
        mentions.found
    }
}

/// Looks for names of places.
struct Mentions<'a> {
    places: &'a OwnPlaces,
    is_own: &'a dyn Fn(&str) -> bool,
    found: bool,
}

impl<'a> Mentions<'a> {
    fn new(places: &'a OwnPlaces, is_own: &'a dyn Fn(&str) -> bool) -> Self {
        Self {
            places,
            is_own,
            found: false,
        }
    }
}

impl Visitor<'_> for Mentions<'_> {
    fn visit_expr(&mut self, expr: &Expr) {
        self.found |= match expr {
            // A source may give `__file__` a value where an interpreter does not.
            Expr::Name(name) => {
                is_own_name(&name.id)
                    || (self.is_own)(&name.id)
                    || self.places.functions.contains(&*name.id)
            }
            Expr::Attribute(attribute) => {
                let name = attribute.attr.as_str();
                let places = self.places;
                places.attributes.contains(name)
                    || places.functions.contains(name)
                    || ATTRIBUTES.contains(&name)
            }
            _ => false,
        };
        if !self.found {
            walk_expr(self, expr);
        }
    }
}
