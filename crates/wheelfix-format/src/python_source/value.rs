//! The texts that an expression may have, as far as they stand in the source.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::{
    BoolOp, Comprehension, Expr, ExprCall, Operator, Stmt, StmtClassDef, StmtImportFrom,
};

use super::opener::{Opener, Openers};
use super::own_place::{OwnPlaces, is_own_name, is_place};
use super::platform::Facts;
use super::scopes::Scopes;

/// More texts for one name are not kept: people give a library some ten names.
pub(super) const MAX: usize = 64;

/// One text that an expression may have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Value {
    pub(super) text: String,
    /// The function that makes it a path from a name, `find_library` or its like.
    pub(super) found_by: Option<Opener>,
}

/// All texts that an expression may have.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Values {
    pub(super) known: Vec<Value>,
    /// Whether it may have others.
    pub(super) has_others: bool,
    /// Whether these are paths that are made from the place of the source.
    pub(super) is_own: bool,
}

impl Values {
    pub(super) fn unknown() -> Self {
        Self {
            has_others: true,
            ..Self::default()
        }
    }

    /// Texts of which it is known at most where they come from.
    fn made(is_own: bool) -> Self {
        Self {
            is_own,
            ..Self::unknown()
        }
    }

    fn of(text: &str) -> Self {
        let value = Value {
            text: text.to_owned(),
            found_by: None,
        };
        Self {
            known: vec![value],
            ..Self::default()
        }
    }

    pub(super) fn extend(&mut self, more: Self) {
        for value in more.known {
            if self.known.len() == MAX {
                self.has_others = true;
                break;
            }
            if !self.known.contains(&value) {
                self.known.push(value);
            }
        }
        self.has_others |= more.has_others;
        self.is_own |= more.is_own;
    }
}

/// The values of variables, and what is known of the system.
#[derive(Debug, Default)]
pub(super) struct Names {
    scopes: Scopes<Values>,
    pub(super) facts: Facts,
    pub(super) own: OwnPlaces,
    /// The attributes of all classes of the source: which of them an object is of is not told.
    attributes: BTreeMap<String, Values>,
    classes: BTreeSet<String>,
    /// The texts that functions of the module may return.
    returned: BTreeMap<String, Values>,
}

impl Names {
    /// Begins the scope of a function.
    pub(super) fn enter(&mut self) {
        self.scopes.enter();
        self.facts.enter();
    }

    /// Ends it.
    pub(super) fn leave(&mut self) {
        self.scopes.leave();
        self.facts.leave();
    }

    /// Gives a name one more value: which of its assignments is the last one is not told.
    pub(super) fn assign(&mut self, name: &str, values: Values) {
        // What a name is without a value yet, as `None` or a call, says nothing.
        self.scopes
            .innermost()
            .entry(name.to_owned())
            .or_default()
            .extend(values);
    }

    /// Makes a name stand for these values alone, as a parameter or the variable of a loop does.
    pub(super) fn bind(&mut self, name: &str, values: Values) {
        self.scopes.innermost().insert(name.to_owned(), values);
    }

    /// Notes the places that a package imports from a module of its own.
    pub(super) fn import(&mut self, import: &StmtImportFrom) {
        if import.level == 0 {
            return;
        }
        for alias in import.names.iter().filter(|it| is_place(&it.name)) {
            let name = alias.asname.as_ref().unwrap_or(&alias.name);
            self.bind(name.as_str(), Values::made(true));
        }
    }

    /// Makes all names of a target stand for parts of what they are taken from.
    pub(super) fn bind_parts(&mut self, target: &Expr, values: &Values) {
        match target {
            Expr::Tuple(tuple) => {
                for element in &tuple.elts {
                    self.bind_parts(element, values);
                }
            }
            Expr::Name(name) => self.bind(name.id.as_str(), Values::made(values.is_own)),
            _ => {}
        }
    }

    /// Makes the variables of a comprehension stand for all that it goes through.
    pub(super) fn bind_each(&mut self, generators: &[Comprehension], openers: &Openers<'_>) {
        for each in generators {
            let values = self.values(&each.iter, openers);
            if let Expr::Name(name) = &each.target {
                self.bind(name.id.as_str(), values);
            } else {
                self.bind_parts(&each.target, &values);
            }
        }
    }

    /// Notes the texts that a function may return, and others: which of them it does depends on what it is given.
    pub(super) fn note_returned(&mut self, function: &str, mut values: Values) {
        values.has_others = true;
        self.returned.insert(function.to_owned(), values);
    }

    /// Notes the attributes that the body of a class gives values.
    pub(super) fn note_class(&mut self, class: &StmtClassDef, openers: &Openers<'_>) {
        self.classes.insert(class.name.as_str().to_owned());
        for statement in &class.body {
            let (targets, value) = match statement {
                Stmt::Assign(assign) => (assign.targets.as_slice(), Some(&assign.value)),
                Stmt::AnnAssign(assign) => {
                    (std::slice::from_ref(&*assign.target), assign.value.as_ref())
                }
                _ => continue,
            };
            let names = targets.iter().filter_map(Expr::as_name_expr);
            for name in names {
                let values = value.map(|value| self.values(value, openers));
                let known = self.attributes.entry(name.id.as_str().to_owned());
                known.or_default().extend(values.unwrap_or_default());
            }
        }
    }

    /// The texts of an attribute of the class around, or of one of the source: others may be given from outside.
    fn attribute(&self, whole: &Expr, name: &str) -> Values {
        let whole = whole.as_name_expr().map(|whole| whole.id.as_str());
        let is_of_class =
            |whole: &str| matches!(whole, "self" | "cls") || self.classes.contains(whole);
        let values = self.attributes.get(name);
        let mut values = values.filter(|_| whole.is_some_and(is_of_class)).cloned();
        if let Some(values) = &mut values {
            values.has_others = true;
        }
        values.unwrap_or_else(Values::unknown)
    }

    /// The facts about an expression whose texts are put together while the source runs.
    fn made(&self, expr: &Expr) -> Values {
        let is_own = |name: &str| self.scopes.get(name).is_some_and(|values| values.is_own);
        Values::made(self.own.are_in(expr, is_own))
    }

    /// The texts that an expression may have.
    pub(super) fn values(&self, expr: &Expr, openers: &Openers<'_>) -> Values {
        let all = |elements: &[Expr]| self.all(elements.iter(), openers);
        match expr {
            Expr::StringLiteral(literal) => Values::of(literal.value.to_str()),
            Expr::BytesLiteral(literal) => {
                let bytes: Vec<u8> = literal.value.bytes().collect();
                Values::of(&String::from_utf8_lossy(&bytes))
            }
            Expr::NoneLiteral(_) => Values::default(),
            Expr::Name(name) => match self.scopes.get(name.id.as_str()) {
                Some(values) => values.clone(),
                None => Values::made(is_own_name(&name.id)),
            },
            Expr::Tuple(tuple) => all(&tuple.elts),
            Expr::List(list) => all(&list.elts),
            Expr::Set(set) => all(&set.elts),
            // Of two texts it would be one that is put together.
            Expr::BinOp(sum)
                if sum.op == Operator::Add && (is_list(&sum.left) || is_list(&sum.right)) =>
            {
                self.all([&*sum.left, &*sum.right].into_iter(), openers)
            }
            Expr::Attribute(attribute) => {
                let values = self.attribute(&attribute.value, attribute.attr.as_str());
                if values.known.is_empty() {
                    return self.made(expr);
                }
                values
            }
            Expr::Starred(starred) => self.values(&starred.value, openers),
            Expr::Named(named) => self.values(&named.value, openers),
            Expr::Dict(dict) => self.all(dict.items.iter().map(|item| &item.value), openers),
            Expr::Subscript(subscript) => self.item(&subscript.value, &subscript.slice, openers),
            Expr::BoolOp(bool_op) if bool_op.op == BoolOp::Or => all(&bool_op.values),
            Expr::If(choice) => match self.facts.holds(&choice.test) {
                Some(true) => self.values(&choice.body, openers),
                Some(false) => self.values(&choice.orelse, openers),
                None => self.all([&*choice.body, &*choice.orelse].into_iter(), openers),
            },
            Expr::Call(call) => self.of_call(expr, call, openers),
            _ => self.made(expr),
        }
    }

    /// The texts that a call may give.
    fn of_call(&self, expr: &Expr, call: &ExprCall, openers: &Openers<'_>) -> Values {
        let opener = openers.of(&call.func).filter(|opener| opener.finds());
        let argument = opener.and_then(|opener| opener.arguments(&call.arguments).next());
        if let Some((opener, argument)) = opener.zip(argument) {
            let mut values = self.values(argument, openers);
            for value in &mut values.known {
                value.found_by = Some(opener);
            }
            return values;
        }
        match &*call.func {
            // What a dictionary by systems has for this one.
            Expr::Attribute(method) if method.attr.as_str() == "get" => {
                match call.arguments.args.first() {
                    Some(key) => self.item(&method.value, key, openers),
                    None => Values::unknown(),
                }
            }
            Expr::Name(function) => {
                let mut values = self.made(expr);
                let returned = self.returned.get(function.id.as_str());
                values.extend(returned.cloned().unwrap_or_default());
                values
            }
            _ => self.made(expr),
        }
    }

    fn all<'e>(&self, elements: impl Iterator<Item = &'e Expr>, openers: &Openers<'_>) -> Values {
        let mut values = Values::default();
        for element in elements {
            values.extend(self.values(element, openers));
        }
        values
    }

    /// The texts of an element of a sequence, or of the one of a dictionary by systems.
    fn item(&self, whole: &Expr, key: &Expr, openers: &Openers<'_>) -> Values {
        let Some((text, dict)) = self.facts.text(key).zip(whole.as_dict_expr()) else {
            return self.values(whole, openers);
        };
        let mut items = dict.items.iter();
        let item = items.find(|item| {
            let key = item.key.as_ref().and_then(|key| self.facts.text(key));
            key.is_some_and(|key| key == text)
        });
        item.map_or_else(Values::default, |item| self.values(&item.value, openers))
    }
}

fn is_list(expr: &Expr) -> bool {
    matches!(expr, Expr::List(_) | Expr::Tuple(_) | Expr::ListComp(_))
}
