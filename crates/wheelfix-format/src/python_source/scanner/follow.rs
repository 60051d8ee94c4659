//! Functions of a source, followed where they are called.

use ruff_python_ast::{Arguments, Expr, StmtFunctionDef};
use ruff_text_size::TextSize;

use super::Scanner;
use crate::python_source::opening_call::{OpeningCall, merged};
use crate::python_source::syntax::{Next, yields};
use crate::python_source::value::Values;

/// Calls of functions of the source are followed this deep, and no more often than [`MAX_FOLLOWED`] in all.
const MAX_DEPTH: usize = 3;
const MAX_FOLLOWED: usize = 1_000;

/// A function that is followed where it is called.
#[derive(Clone, Copy)]
pub(super) struct Function<'a> {
    definition: &'a StmtFunctionDef,
    /// The parameters that no argument of the call is for.
    bound: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn add_function(
        &mut self,
        name: &'a str,
        definition: &'a StmtFunctionDef,
        bound: usize,
    ) {
        self.functions.insert(name, Function { definition, bound });
    }

    /// Follows a call of a function of the source: all that it opens is one way to the same.
    pub(super) fn follow(
        &mut self,
        name: &'a str,
        function: Function<'a>,
        arguments: &'a Arguments,
        at: TextSize,
    ) {
        let Function {
            definition: function,
            bound: hidden,
        } = function;
        // A call of these runs nothing yet.
        let waits = function.is_async || yields(&function.body);
        if waits || self.depth == MAX_DEPTH || self.followed == MAX_FOLLOWED {
            return;
        }
        let nesting = std::mem::take(&mut self.nesting);
        (self.depth, self.followed) = (self.depth + 1, self.followed + 1);
        let calls = std::mem::take(&mut self.calls);
        let texts = self.texts.len();
        let values = self.bound(function, hidden, arguments);
        self.unnamed.follow(name);
        self.names.enter();
        for (name, values, value) in values {
            self.names.bind(name, values);
            if let Some(value) = value {
                self.names.facts.assign(name, value);
            }
        }
        let context = self.context;
        self.suite(&function.body);
        let raises = self.end(&function.body) == Next::Raises;
        let found = std::mem::replace(&mut self.calls, calls);
        self.names.leave();
        self.nesting = nesting;
        self.texts.truncate(texts);
        self.depth -= 1;
        let mut found: Vec<OpeningCall> = found
            .into_iter()
            .map(|call| OpeningCall { at, ..call })
            .collect();
        if raises
            || found
                .iter()
                .any(|call| call.context.at_import && !call.context.is_guarded)
        {
            found = merged(found, context).into_iter().collect();
        }
        self.calls.extend(found);
    }

    /// The parameters of a function with the values of the arguments, and with the argument itself.
    fn bound(
        &self,
        function: &'a StmtFunctionDef,
        hidden: usize,
        arguments: &'a Arguments,
    ) -> Vec<(&'a str, Values, Option<&'a Expr>)> {
        let parameters = &function.parameters;
        let one = |name: &'a str, given: Option<&'a Expr>| {
            let values = given.map(|value| self.names.values(value, &self.openers));
            (name, values.unwrap_or_else(Values::unknown), given)
        };
        let positional = parameters.posonlyargs.iter().chain(&parameters.args);
        let positional = positional.skip(hidden);
        let mut bound = Vec::new();
        for (index, parameter) in positional.enumerate() {
            let name = parameter.name().as_str();
            let given = arguments.find_argument_value(name, index);
            bound.push(one(name, given.or(parameter.default.as_deref())));
        }
        let count = bound.len();
        for parameter in &parameters.kwonlyargs {
            let name = parameter.name().as_str();
            let given = arguments.find_keyword(name).map(|keyword| &keyword.value);
            bound.push(one(name, given.or(parameter.default.as_deref())));
        }
        if let Some(rest) = &parameters.vararg {
            let mut values = Values::default();
            for value in arguments.args.iter().skip(count) {
                values.extend(self.names.values(value, &self.openers));
            }
            bound.push((rest.name().as_str(), values, None));
        }
        bound
    }
}
