//! `ask_user`: a person's turn. The user of the run answers on the terminal, or an agent of the cast answers.

use super::{
    misfit,
    prompted::{PromptKeys, PromptOf, Prompted},
    rank, readable, replies,
    restricted::{SchemaOrName, checked},
};
use crate::{
    dialogue::{At, Expr, Pos, written},
    exchange::{AskUserRequest, Exchange, Finish, Kind, Reply, Request, SayReply},
    grammar::{schema_type, validated},
    plan::{
        Answered, Ask, Formula, Inside, Planned, Planning, Step, StepError, Turn, Typing, USER, UserQuestion, Verb,
    },
    prompt::{Scope, show},
    value::{Type, Value, json::to_json},
};
use std::sync::Arc;

written! { "`ask_user`",
    /// Asks a person, and waits for a line. The value is the answer as text, or as `schema` types it. On a terminal the person types it;
    /// elsewhere `--answer STEP=VALUE` gives it before the run. One of `prompt` and `text`.
    pub struct AskUser {
        /// The question.
        #[schemars(flatten)]
        pub prompt: PromptKeys,
        /// The allowed answers: a label list, a list, or a template that gives a list. The person types one of them or its number.
        pub choices: Option<Expr>,
        /// A JSON Schema, or the name of a file `schemas/NAME.json`, for the answer as JSON. A single text needs no quotes.
        #[schemars(with = "Option<SchemaOrName>")]
        pub schema: Option<Expr>,
        /// A regular expression that the whole answer matches.
        pub regex: Option<At<String>>,
        /// The answer if the person types an empty line, or if nobody can be asked.
        pub default: Option<Expr>,
        /// The role of the person. Without it the role `user` of the cast is asked, or else the user of the run.
        pub agent: Option<At<String>>,
    }
}

impl AskUser {
    /// A position inside the step, for problems about the whole of it.
    fn pos(&self) -> Pos {
        let exprs = [&self.choices, &self.schema, &self.default].into_iter().flatten().map(|expr| expr.0.pos);
        let texts = [&self.regex, &self.agent].into_iter().flatten().map(|text| text.pos);
        exprs.chain(texts).next().unwrap_or_default()
    }

    /// Reports keys of which only one can say what an answer is.
    fn check_forms(&self, planning: &mut Planning<'_>) {
        let forms = [
            ("choices", self.choices.as_ref().map(|choices| choices.0.pos)),
            ("schema", self.schema.as_ref().map(|schema| schema.0.pos)),
            ("regex", self.regex.as_ref().map(|regex| regex.pos)),
        ];
        let written: Vec<(&str, Pos)> = forms.into_iter().filter_map(|(key, pos)| Some((key, pos?))).collect();
        if let [(first, _), (second, pos), ..] = written.as_slice() {
            let message = format!("found `{second}` beside `{first}`, expected one of them");
            planning.problem("too-many", *pos, message, None);
        }
    }
}

impl Verb for AskUser {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        let prompt = self.prompt.plan(PromptOf { verb: "ask_user", pos: self.pos(), own: &[] }, planning);
        self.check_forms(planning);
        let role = match &self.agent {
            Some(agent) => planning.role(agent, Kind::AskUser).map(|role| (role.role, false)),
            None => planning.user(self.pos()),
        };
        let choices = self.choices.as_ref().map(|choices| rank::among(choices, None, planning));
        let schema = self.schema.as_ref().map(|schema| planning.json_schema(schema));
        let regex = self.regex.as_ref().map(|regex| checked(regex, planning));
        let default = self.default.as_ref().map(|default| planning.expr(default));
        let (role, is_of_run) = role?;
        Some(Arc::new(AskUserStep {
            name: planning.writer(),
            role,
            is_of_run,
            prompt: prompt?,
            choices: readable(choices)?,
            schema: readable(schema)?,
            regex: readable(regex)?,
            default: readable(default)?,
        }))
    }
}

#[derive(Debug)]
struct AskUserStep {
    /// `DIALOGUE.STEP`, for answers that are given before the run.
    name: String,
    role: String,
    /// The role is the user of the run, not an agent of the cast.
    is_of_run: bool,
    prompt: Prompted,
    choices: Option<rank::Among>,
    schema: Option<serde_json::Value>,
    regex: Option<String>,
    default: Option<Formula>,
}

impl Planned for AskUserStep {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        self.prompt.check(USER, &[], typing);
        self.choices.iter().for_each(|choices| choices.ty("`choices`", typing));
        let ty = self.schema.as_ref().map_or(Type::Text, schema_type);
        if let Some(default) = &self.default {
            typing.expect_or_nothing(default, std::slice::from_ref(&ty), "`default`");
        }
        (ty, self)
    }
}

impl Step for AskUserStep {
    fn inside(&self) -> Inside {
        Inside::Asks(self.role.clone())
    }

    fn question(&self) -> Option<UserQuestion> {
        let has_default = self.default.is_some();
        Some(UserQuestion { name: self.name.clone(), has_default, is_of_run: self.is_of_run })
    }

    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError> {
        if let Some(replies) = replies(answered) {
            let [Reply::AskUser(SayReply { text, .. })] = replies else { return Err(misfit("ask_user")) };
            let value = match &self.schema {
                Some(schema) => validated(schema, text).map_err(StepError)?,
                None => Value::Text(text.clone()),
            };
            return Ok(Turn::Done(value));
        }
        let default = match self.default.as_ref().map(|default| default.eval(scope)).transpose()? {
            None | Some(Value::Nothing) => None,
            Some(value) if self.schema.is_some() => Some(to_json(&value).to_string()),
            Some(value) => Some(show(&value)),
        };
        let choices = self.choices.as_ref().map(|choices| choices.labels(scope, "choices")).transpose()?;
        let choices = choices.map(|choices| choices.to_vec());
        if choices.as_ref().is_some_and(Vec::is_empty) {
            return Err(StepError("found no choices, expected at least one answer that the user can give".into()));
        }
        let request = AskUserRequest {
            name: self.name.clone(),
            text: self.prompt.text(scope, &[])?.trim().to_owned(),
            choices: choices.unwrap_or_default(),
            schema: self.schema.clone(),
            regex: self.regex.clone(),
            default,
        };
        if let Some(default) = &request.default
            && let Err(why) = request.fits(&SayReply::new(default.clone(), Finish::Stop))
        {
            return Err(StepError(format!("the default is not an answer: {why}")));
        }
        Ok(Turn::Ask(vec![Ask { role: self.role.clone(), request: Request::AskUser(request), sample: 0 }]))
    }
}
