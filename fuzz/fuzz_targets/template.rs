//! The template compiler, its type inference and its evaluation.
#![no_main]

use elenchus::{
    prompt::{Scope, Template},
    value::{Type, Value},
};
use indexmap::IndexMap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    let Ok(template) = Template::parse(source) else { return };
    let names = template.names().into_iter().map(str::to_owned).collect::<Vec<_>>();
    let types: IndexMap<String, Type> = names.iter().map(|name| (name.clone(), Type::Text.list())).collect();
    let _ = template.ty(&types, &mut Vec::new());
    let list = || Value::List(vec![Value::Text("a".into()), Value::Number(1.0), Value::Nothing]);
    let scope: Scope = names.into_iter().map(|name| (name, list())).collect();
    let _ = template.eval(&scope);
});
