//! The calls of a source that open libraries, with what stands around them.

mod follow;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{
    Arguments, BoolOp, ExceptHandler, ExceptHandlerExceptHandler, Expr, ExprGenerator,
    ExprListComp, ExprSetComp, Stmt, StmtFor, StmtFunctionDef, StmtIf, StmtTry, StmtWith,
};
use ruff_text_size::{Ranged as _, TextSize};

use self::follow::{Function, function_name};
use super::opener::{Opener, Openers, asked, is_opener, opens_nothing};
use super::opening_call::{Context, OpeningCall, merged, opens_or_raises};
use super::syntax::{
    Next, branches, emptiness_of, is_caught, is_exit, is_one_of, is_plain, raised_instead,
    suppressed,
};
use super::unnamed_call::{FunctionName, UnnamedCalls};
use super::value::{MAX as MAX_NAMES, Names, Value, Values};

/// More calls of a source are passed over: a source that opens as many is not one that a person wrote.
const MAX_CALLS: usize = 1_000;

/// Goes through the statements of a source in their order.
pub(super) struct Scanner<'a> {
    openers: Openers<'a>,
    /// The functions of the source, which are followed where they are called.
    functions: BTreeMap<FunctionName<'a>, Function<'a>>,
    names: Names,
    context: Context,
    /// The loops, `try` and `with` around a statement, which may not run once, or more often.
    nesting: usize,
    depth: usize,
    followed: usize,
    /// Texts that begin with the name of a program.
    pub(super) texts: Vec<(&'a str, TextSize)>,
    pub(super) calls: Vec<OpeningCall>,
    /// Calls with names that are not in the source.
    pub(super) unnamed: UnnamedCalls<'a>,
    class: Option<&'a str>,
    /// The exceptions that are raised in the place of what a missing library raises.
    raised_instead: BTreeSet<&'a str>,
}

impl<'a> Scanner<'a> {
    /// All calls of a module.
    pub(super) fn scan(module: &'a [Stmt]) -> Self {
        let mut scanner = Self {
            openers: Openers::default(),
            functions: BTreeMap::new(),
            names: Names::default(),
            context: Context {
                at_import: true,
                is_guarded: false,
            },
            nesting: 0,
            depth: 0,
            followed: 0,
            texts: Vec::new(),
            calls: Vec::new(),
            unnamed: UnnamedCalls::default(),
            class: None,
            raised_instead: raised_instead(module),
        };
        scanner.note(module);
        scanner.suite(module);
        scanner
    }

    /// Notes the openers and functions that statements define.
    fn note(&mut self, statements: &'a [Stmt]) {
        for statement in statements {
            self.openers.note(statement);
            self.names.own.note(statement);
            match statement {
                Stmt::FunctionDef(function) => {
                    self.add_function(function);
                    // Imports are often made in functions.
                    self.openers.note_all(&function.body);
                }
                Stmt::ClassDef(class) => self.add_methods(class),
                Stmt::If(choice) => {
                    for body in self.names.facts.possible(choice) {
                        self.note(body);
                    }
                }
                Stmt::Try(attempt) => {
                    for body in [&attempt.body, &attempt.orelse, &attempt.finalbody] {
                        self.note(body);
                    }
                    for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                        self.note(&handler.body);
                    }
                }
                _ => {}
            }
        }
    }

    /// Goes through statements that follow each other.
    fn suite(&mut self, statements: &'a [Stmt]) {
        let context = self.context;
        for statement in statements {
            self.visit_stmt(statement);
            match self.next(statement) {
                Next::Always => {}
                Next::Sometimes => self.context.at_import = false,
                Next::Never | Next::Raises => break,
            }
        }
        self.context = context;
    }

    /// Goes through a suite that is reached otherwise.
    fn suite_as(&mut self, statements: &'a [Stmt], change: impl FnOnce(&mut Context)) {
        let context = self.context;
        change(&mut self.context);
        self.suite(statements);
        self.context = context;
    }

    /// The way on from a statement on Linux.
    fn next(&self, statement: &Stmt) -> Next {
        match statement {
            Stmt::Return(_) | Stmt::Break(_) | Stmt::Continue(_) => Next::Never,
            Stmt::Raise(_) => Next::Raises,
            Stmt::Expr(call) if is_exit(&call.value) => Next::Raises,
            Stmt::If(choice) => {
                let mut ends = Vec::new();
                let mut has_else = false;
                for (test, body) in branches(choice) {
                    match test.map(|test| self.names.facts.holds(test)) {
                        Some(Some(false)) => {}
                        Some(None) => ends.push(self.end(body)),
                        Some(Some(true)) | None => {
                            ends.push(self.end(body));
                            has_else = true;
                            break;
                        }
                    }
                }
                if !has_else {
                    ends.push(Next::Always);
                }
                match ends.as_slice() {
                    [only] => *only,
                    all if all.iter().all(|end| *end == Next::Raises) => Next::Raises,
                    all if all
                        .iter()
                        .all(|end| matches!(end, Next::Raises | Next::Never)) =>
                    {
                        Next::Never
                    }
                    // A check that raises is told from what goes on otherwise.
                    all if all
                        .iter()
                        .all(|end| matches!(end, Next::Raises | Next::Always)) =>
                    {
                        Next::Always
                    }
                    _ => Next::Sometimes,
                }
            }
            _ => Next::Always,
        }
    }

    /// The way on from the last of some statements.
    fn end(&self, statements: &[Stmt]) -> Next {
        let mut sometimes = false;
        for statement in statements {
            match self.next(statement) {
                Next::Always => {}
                Next::Sometimes => sometimes = true,
                end => return if sometimes { Next::Sometimes } else { end },
            }
        }
        if sometimes {
            Next::Sometimes
        } else {
            Next::Always
        }
    }

    fn choice(&mut self, choice: &'a StmtIf) {
        let mut is_open = false;
        for (test, body) in branches(choice) {
            let holds = match test {
                Some(test) => {
                    self.visit_expr(test);
                    self.names.facts.holds(test)
                }
                None => Some(true),
            };
            if holds == Some(false) {
                continue;
            }
            if let Some(test) = test.filter(|_| holds.is_none())
                && self.end(body) == Next::Raises
            {
                self.require(test);
            }
            let is_certain = holds == Some(true) && !is_open;
            self.suite_as(body, |context| context.at_import &= is_certain);
            if holds == Some(true) {
                break;
            }
            is_open = true;
        }
    }

    /// Makes one need of all calls whose result is held by a variable that must not be false.
    fn require(&mut self, test: &Expr) {
        let Some(name) = emptiness_of(test) else {
            return;
        };
        let (held, others) = std::mem::take(&mut self.calls)
            .into_iter()
            .partition::<Vec<_>, _>(|call| call.target.as_deref() == Some(name));
        self.calls = others;
        self.calls.extend(merged(held, self.context));
    }

    fn attempt(&mut self, attempt: &'a StmtTry) {
        let handlers = attempt.handlers.iter();
        let handlers: Vec<_> = handlers
            .map(|ExceptHandler::ExceptHandler(handler)| handler)
            .collect();
        let mut catching = handlers.clone();
        catching.retain(|handler| {
            let kind = handler.type_.as_ref();
            kind.is_none_or(|kind| is_caught(kind) || is_one_of(kind, &self.raised_instead))
                && self.end(&handler.body) != Next::Raises
        });
        let is_caught = !catching.is_empty();
        let start = self.calls.len();
        self.nesting += 1;
        self.suite_as(&attempt.body, |context| context.is_guarded |= is_caught);
        let end = self.calls.len();
        for handler in handlers {
            // What fails before it is not known, unless that is a library.
            self.suite_as(&handler.body, |context| context.at_import &= start < end);
        }
        let gives_up = self.gives_up(attempt, &catching, start..end);
        // What a handler opens is another way to the same.
        let (body, in_handlers) = self.calls.split_at_mut(end);
        for call in in_handlers {
            for one in body.get(start..).unwrap_or_default() {
                let names = one.names.iter().filter(|name| !call.names.contains(name));
                let mut names: Vec<_> = names.cloned().collect();
                names.append(&mut call.names);
                names.truncate(MAX_NAMES);
                call.names = names;
            }
        }
        if gives_up {
            let calls = self.calls.split_off(start);
            self.calls.extend(merged(calls, self.context));
        }
        self.suite(&attempt.orelse);
        self.suite(&attempt.finalbody);
        self.nesting -= 1;
    }

    /// Whether the one library that a `try` opens, whatever happens, or another that its handlers open has to be there,
    /// and none of them is told as needed by itself. `body` has the positions of the calls before those of the handlers.
    fn gives_up(
        &self,
        attempt: &StmtTry,
        catching: &[&ExceptHandlerExceptHandler],
        body: Range<usize>,
    ) -> bool {
        let in_handlers = self.calls.get(body.end..).unwrap_or_default();
        let next = |statement: &Stmt| self.next(statement);
        let gives_up = |handler: &&ExceptHandlerExceptHandler| {
            opens_or_raises(&handler.body, in_handlers, &next)
        };
        let [call] = self.calls.get(body).unwrap_or_default() else {
            return false;
        };
        let mut statements = attempt.body.iter();
        call.context.at_import == self.context.at_import
            && statements.any(|statement| call.is_all_of(statement))
            // What another handler catches comes before the call is made.
            && catching.len() == attempt.handlers.len()
            && !catching.is_empty()
            && !in_handlers.iter().any(OpeningCall::is_needed)
            && catching.iter().all(gives_up)
    }

    fn repeat(&mut self, repeat: &'a StmtFor) {
        self.visit_expr(&repeat.iter);
        let values = self.names.values(&repeat.iter, &self.openers);
        if let Expr::Name(name) = &*repeat.target {
            self.names.bind(name.id.as_str(), values);
        } else {
            self.names.bind_parts(&repeat.target, &values);
        }
        let start = self.calls.len();
        self.nesting += 1;
        self.suite(&repeat.body);
        self.nesting -= 1;
        if repeat.body.iter().all(is_plain) {
            // Nothing leaves the loop or goes on after an error: all are opened.
            let calls = self.calls.split_off(start);
            self.calls.extend(calls.into_iter().flat_map(|call| {
                // What only looks for a library goes on.
                let names = if call.context.is_guarded {
                    vec![call.names.clone()]
                } else {
                    call.names.iter().map(|name| vec![name.clone()]).collect()
                };
                names.into_iter().map(move |names| OpeningCall {
                    names,
                    ..call.clone()
                })
            }));
        }
        if self.end(&repeat.orelse) == Next::Raises {
            for call in self.calls.iter_mut().skip(start) {
                call.context = self.context;
                call.context.is_guarded |= call.has_others;
            }
        }
        self.suite(&repeat.orelse);
    }

    fn with(&mut self, with: &'a StmtWith) {
        let suppresses = suppressed(with).any(is_caught);
        for item in &with.items {
            self.visit_expr(&item.context_expr);
            if let Some(target) = &item.optional_vars {
                let values = self.names.values(&item.context_expr, &self.openers);
                self.names.bind_parts(target, &values);
            }
        }
        self.nesting += usize::from(suppresses);
        self.suite_as(&with.body, |context| context.is_guarded |= suppresses);
        self.nesting -= usize::from(suppresses);
    }

    fn assign(&mut self, targets: &'a [Expr], value: &'a Expr) {
        let start = self.calls.len();
        self.visit_expr(value);
        let values = self.names.values(value, &self.openers);
        for target in targets {
            if let Expr::Name(name) = target {
                let name = name.id.as_str();
                if self.nesting == 0 && self.context.at_import {
                    self.names.bind(name, values.clone());
                    self.names.facts.assign(name, value);
                } else {
                    // Which of several assignments counts is not known.
                    self.names.assign(name, values.clone());
                    self.names.facts.forget(name);
                }
                for call in self.calls.iter_mut().skip(start) {
                    call.target = Some(name.to_owned());
                }
            } else {
                self.visit_expr(target);
                match target {
                    Expr::Attribute(attribute) if values.is_own => {
                        self.names.own.add_attribute(attribute.attr.as_str());
                    }
                    _ => self.names.bind_parts(target, &values),
                }
            }
        }
    }

    /// Notes what a list is given that a variable holds.
    fn append(&mut self, function: &'a Expr, arguments: &'a Arguments) {
        if let Expr::Attribute(method) = function
            && ["append", "extend", "insert", "add"].contains(&method.attr.as_str())
            && let Some(value) = arguments.args.last()
        {
            self.add(&method.value, value);
        }
    }

    /// Notes what a variable may have besides: whether the statement runs is not asked.
    fn add(&mut self, target: &Expr, value: &Expr) {
        if let Expr::Name(name) = target {
            // The variable may be one of the module, and what is added in a function.
            let mut values = self.names.values(target, &self.openers);
            values.extend(self.names.values(value, &self.openers));
            values.has_others = true;
            self.names.assign(name.id.as_str(), values);
        }
    }

    /// The body of a function, which runs when somebody calls it.
    fn function(&mut self, function: &'a StmtFunctionDef) {
        for decorator in &function.decorator_list {
            self.visit_decorator(decorator);
        }
        let parameters = function.parameters.iter_non_variadic_params();
        for default in parameters.filter_map(|parameter| parameter.default.as_deref()) {
            self.visit_expr(default);
        }
        let name = function_name(self.class, function);
        if is_opener(function) {
            // Whoever calls it is seen.
            self.unnamed.follow(name);
        }
        let is_outer = self.depth == 0 && self.unnamed.enter(name);
        self.names.enter();
        for parameter in &*function.parameters {
            self.names
                .bind(parameter.name().as_str(), Values::unknown());
        }
        self.suite_as(&function.body, |context| {
            *context = Context {
                at_import: false,
                is_guarded: false,
            };
        });
        self.names.leave();
        if is_outer {
            self.unnamed.leave();
        }
    }

    /// Notes a call of an opener; `false` if its argument says nothing.
    fn call(&mut self, opener: Opener, arguments: &'a Arguments, at: TextSize) -> bool {
        if self.calls.len() == MAX_CALLS {
            return false;
        }
        let mut values = Values::default();
        for argument in opener.arguments(arguments) {
            values.extend(self.names.values(argument, &self.openers));
        }
        // Of a list of directories and the like none is a library, and a package's function that is given one may look
        // there alone.
        let mut known = values.known.iter();
        let is_named = if values.has_others {
            let is_library =
                |value: &Value| asked(&value.text, value.found_by.unwrap_or(opener)).is_some();
            known.any(is_library) && !(values.is_own && opener == Opener::Package)
        } else {
            known.next().is_some()
        };
        if !is_named {
            let first = opener.arguments(arguments).next();
            if values.has_others && !opens_nothing(arguments) && first.is_some() {
                self.unnamed.push(at, values.is_own);
            }
            return false;
        }
        let names = values.known.into_iter();
        let names: Vec<_> = names
            .map(|value| (value.text, value.found_by.unwrap_or(opener)))
            .collect();
        let mut context = self.context;
        context.is_guarded |= opener.only_looks() || values.has_others;
        // A path that was found may be none, and then there is nothing to open.
        context.is_guarded |= names.iter().all(|(_, opener)| opener.only_looks());
        self.calls.push(OpeningCall {
            names,
            has_others: values.has_others,
            at,
            context,
            target: None,
        });
        true
    }
}

impl<'a> Visitor<'a> for Scanner<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => self.function(function),
            Stmt::ClassDef(class) => {
                self.names.note_class(class, &self.openers);
                self.names.enter();
                let around = self.class.replace(class.name.as_str());
                self.suite(&class.body);
                self.class = around;
                self.names.leave();
            }
            Stmt::ImportFrom(import) => self.names.import(import),
            Stmt::If(choice) => self.choice(choice),
            Stmt::For(repeat) => self.repeat(repeat),
            Stmt::While(repeat) => {
                self.visit_expr(&repeat.test);
                self.nesting += 1;
                self.suite(&repeat.body);
                self.nesting -= 1;
                self.suite(&repeat.orelse);
            }
            Stmt::With(with) => self.with(with),
            Stmt::Try(attempt) => self.attempt(attempt),
            Stmt::Match(choice) => {
                self.visit_expr(&choice.subject);
                for case in &choice.cases {
                    self.suite_as(&case.body, |context| context.at_import = false);
                }
            }
            Stmt::Assign(assign) => self.assign(&assign.targets, &assign.value),
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    self.assign(std::slice::from_ref(&assign.target), value);
                }
            }
            Stmt::AugAssign(assign) => {
                walk_stmt(self, statement);
                self.add(&assign.target, &assign.value);
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => {
                let at = call.start();
                if let Some((name, function)) = self.function_of(&call.func) {
                    self.follow(name, function, &call.arguments, at);
                } else if let Some(opener) = self.openers.of(&call.func)
                    && self.call(opener, &call.arguments, at)
                {
                    return;
                }
                self.append(&call.func, &call.arguments);
                walk_expr(self, expr);
            }
            Expr::ListComp(ExprListComp { generators, .. })
            | Expr::SetComp(ExprSetComp { generators, .. })
            | Expr::Generator(ExprGenerator { generators, .. }) => {
                self.names.enter();
                self.names.bind_each(generators, &self.openers);
                walk_expr(self, expr);
                self.names.leave();
            }
            Expr::Lambda(_) => {
                let context = self.context;
                self.context.at_import = false;
                walk_expr(self, expr);
                self.context = context;
            }
            Expr::If(choice) => match self.names.facts.holds(&choice.test) {
                Some(true) => self.visit_expr(&choice.body),
                Some(false) => self.visit_expr(&choice.orelse),
                None => {
                    self.visit_expr(&choice.test);
                    let context = self.context;
                    self.context.at_import = false;
                    self.visit_expr(&choice.body);
                    self.visit_expr(&choice.orelse);
                    self.context = context;
                }
            },
            Expr::BoolOp(bool_op) => {
                let context = self.context;
                for value in &bool_op.values {
                    let holds = self.names.facts.holds(value);
                    self.visit_expr(value);
                    if holds == Some(bool_op.op == BoolOp::Or) {
                        break;
                    }
                    self.context.at_import &= holds.is_some();
                }
                self.context = context;
            }
            Expr::StringLiteral(literal) => self
                .texts
                .push((literal.value.to_str(), literal.range.start())),
            _ => walk_expr(self, expr),
        }
    }
}
