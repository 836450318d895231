//! `call`: runs another dialogue with its own inputs. The value is its answer.

use crate::{
    dialogue::{At, Expr, written},
    plan::{
        Answered, Compiled, Formula, Inside, Misfit, Planned, Planning, Step, StepError, Turn, Typing, Verb, bind,
        closest,
    },
    prompt::Scope,
    value::Type,
};
use indexmap::IndexMap;
use std::sync::Arc;

written! { "`call`",
    /// Another dialogue. The value is its answer.
    pub struct Call {
        /// The dialogue's name or path: `image_caption`, `./mine.yaml`. The folder of this file comes first, then the
        /// dialogues of the project, the user and the program.
        pub dialogue: At<String>,
        /// Its inputs.
        pub with: Option<IndexMap<At<String>, Expr>>,
    }
}

impl Verb for Call {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        let mut with = IndexMap::new();
        for (name, expr) in self.with.iter().flatten() {
            let formula = planning.expr(expr);
            with.insert(name.clone(), formula);
        }
        let called = planning.called(&self.dialogue)?;
        for (name, _) in &with {
            if !called.inputs.contains_key(&name.value) {
                let hint = closest(name, called.inputs.keys().map(String::as_str));
                let message = format!("found `{}`, which is not an input of dialogue `{}`", name.value, called.name);
                planning.problem("unknown-key", name.pos, message, hint);
            }
        }
        for (name, input) in called.inputs.iter().filter(|(_, input)| input.default.is_none()) {
            if !with.contains_key(name.as_str()) {
                let message = format!("found no `{name}` for dialogue `{}`, expected {}", called.name, input.ty);
                let hint = Some(format!("bind it: `with: {{ {name}: … }}`"));
                planning.problem("missing-key", self.dialogue.pos, message, hint);
            }
        }
        let with = with.into_iter().map(|(name, formula)| Some((name.value, formula?))).collect::<Option<_>>()?;
        Some(Arc::new(CallStep { called, with }))
    }
}

#[derive(Debug)]
struct CallStep {
    called: Compiled,
    with: IndexMap<String, Formula>,
}

impl Planned for CallStep {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        (self.ty(typing), self)
    }
}

impl CallStep {
    /// The type of its value.
    fn ty(&self, typing: &mut Typing<'_>) -> Type {
        for (name, formula) in &self.with {
            if let Some(input) = self.called.inputs.get(name) {
                typing.expect(formula, std::slice::from_ref(&input.ty), &format!("`{name}`"));
            }
        }
        self.called.answer_ty.clone()
    }
}

impl CallStep {
    /// The inputs of the called dialogue, which sees no other names.
    fn inputs(&self, scope: &Scope) -> Result<Scope, StepError> {
        let given = self.with.iter().map(|(name, formula)| Ok((name.clone(), formula.eval(scope)?)));
        let given = given.collect::<Result<IndexMap<_, _>, StepError>>()?;
        let line = |misfit: Misfit| match misfit {
            Misfit::Missing { name, .. } => format!("dialogue `{}` needs `{name}`", self.called.name),
            Misfit::WrongType { name, found, expected } => format!("found {found} for `{name}`, expected {expected}"),
            other => other.to_string(),
        };
        match bind::bind(&self.called.name, &self.called.inputs, given) {
            Ok(inputs) => Ok(inputs.scope()),
            Err(misfits) => Err(StepError(misfits.into_iter().map(line).collect::<Vec<_>>().join("; "))),
        }
    }
}

impl Step for CallStep {
    fn inside(&self) -> Inside {
        let names = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let with = self.with.iter().map(|(name, formula)| (name.clone(), names(formula.names())));
        Inside::Calls {
            name: self.called.name.clone(),
            block: self.called.block.clone(),
            inputs: self.called.inputs.clone(),
            with: with.collect(),
            answer: names(self.called.answer.names()),
        }
    }

    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError> {
        let mut inputs = self.inputs(scope)?;
        let Some(Answered::Inner(values)) = answered.first() else {
            return Ok(Turn::Inner { block: self.called.block.clone(), scope: inputs });
        };
        values.iter().for_each(|(name, value)| inputs.bind(name, value.clone()));
        Ok(Turn::Done(self.called.answer.eval(&inputs)?))
    }
}
