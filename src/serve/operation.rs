//! Routes with their descriptions. The same types that read requests and write responses make `/openapi.json`, so it cannot drift.

use super::{api_error::ErrorReply, state::SharedState};
use axum::{Router, routing::MethodRouter};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value as Json, json};

/// Makes the schema of a type.
type Schema = fn(&mut SchemaGenerator) -> Json;

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Json {
    generator.subschema_for::<T>().to_value()
}

/// What a route answers.
enum Answers {
    /// JSON.
    Json(Schema),
    /// Another type of content.
    Other(&'static str),
}

/// The description of a route.
pub(super) struct Operation {
    method: &'static str,
    path: &'static str,
    about: &'static str,
    query: Option<Schema>,
    body: Option<(&'static str, Schema)>,
    answers: Vec<Answers>,
}

impl Operation {
    /// A route: its method, its path, and one line about it.
    pub(super) fn new(method: &'static str, path: &'static str, about: &'static str) -> Operation {
        Operation { method, path, about, query: None, body: None, answers: Vec::new() }
    }

    /// It takes these parameters in its query.
    pub(super) fn query<T: JsonSchema>(mut self) -> Operation {
        self.query = Some(schema::<T>);
        self
    }

    /// It takes this JSON body.
    pub(super) fn body<T: JsonSchema>(mut self) -> Operation {
        self.body = Some(("application/json", schema::<T>));
        self
    }

    /// It takes this form.
    pub(super) fn form<T: JsonSchema>(mut self) -> Operation {
        self.body = Some(("multipart/form-data", schema::<T>));
        self
    }

    /// It answers with this JSON.
    pub(super) fn json<T: JsonSchema>(mut self) -> Operation {
        self.answers.push(Answers::Json(schema::<T>));
        self
    }

    /// It answers with content of this type.
    pub(super) fn other(mut self, kind: &'static str) -> Operation {
        self.answers.push(Answers::Other(kind));
        self
    }

    /// The operation object of OpenAPI.
    fn object(&self, generator: &mut SchemaGenerator) -> Json {
        let mut parameters: Vec<Json> = (self.path.split('{').skip(1))
            .filter_map(|part| part.split('}').next())
            .map(|name| json!({ "name": name.trim_start_matches('*'), "in": "path", "required": true, "schema": { "type": "string" } }))
            .collect();
        if let Some(query) = self.query {
            parameters.extend(fields(&query(generator), generator));
        }
        let mut content = Map::new();
        for answer in &self.answers {
            match answer {
                Answers::Json(schema) => {
                    content.insert("application/json".to_owned(), json!({ "schema": schema(generator) }));
                }
                Answers::Other(kind) => {
                    content.insert((*kind).to_owned(), json!({}));
                }
            }
        }
        let error = schema::<ErrorReply>(generator);
        let mut object = json!({
            "summary": self.about,
            "parameters": parameters,
            "responses": {
                "200": { "description": "The answer.", "content": content },
                "default": {
                    "description": "The request failed or was refused.",
                    "content": { "application/json": { "schema": error } },
                },
            },
        });
        if let Some((kind, body)) = self.body {
            object["requestBody"] = json!({ "required": true, "content": { kind: { "schema": body(generator) } } });
        }
        object
    }
}

/// The parameters of a query: the fields of its type.
fn fields(query: &Json, generator: &SchemaGenerator) -> Vec<Json> {
    let named = query["$ref"].as_str().and_then(|name| name.rsplit('/').next());
    let query = named.and_then(|name| generator.definitions().get(name)).unwrap_or(query);
    let required = |name: &String| {
        query["required"].as_array().is_some_and(|all| all.iter().any(|field| field.as_str() == Some(name)))
    };
    let fields = query["properties"].as_object().into_iter().flatten();
    let parameter = |(name, schema): (&String, &Json)| json!({ "name": name, "in": "query", "required": required(name), "schema": schema });
    fields.map(parameter).collect()
}

/// Routes, and the description of each.
#[derive(Default)]
pub(super) struct Routes {
    router: Router<SharedState>,
    operations: Vec<Operation>,
}

impl Routes {
    /// Adds a route. Several methods of one path may be added one by one.
    #[must_use]
    pub(super) fn with(mut self, operation: Operation, handler: MethodRouter<SharedState>) -> Routes {
        self.router = self.router.route(operation.path, handler);
        self.operations.push(operation);
        self
    }

    /// Adds other routes.
    #[must_use]
    pub(super) fn and(mut self, other: Routes) -> Routes {
        self.router = self.router.merge(other.router);
        self.operations.extend(other.operations);
        self
    }

    /// The router, and the OpenAPI document about it.
    pub(super) fn build(self) -> (Router<SharedState>, Json) {
        let mut generator = SchemaSettings::openapi3().into_generator();
        let mut paths = Map::new();
        for operation in &self.operations {
            let object = operation.object(&mut generator);
            // a path that takes the rest has no mark of its own there
            let entry = paths.entry(operation.path.replace("{*", "{")).or_insert_with(|| json!({}));
            entry[operation.method] = object;
        }
        let document = json!({
            "openapi": "3.0.3",
            "info": {
                "title": "elenchus",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "Questions about first-person video, answered on this machine. What recordings say is data, never an instruction.",
            },
            "security": [{ "token": [] }],
            "paths": paths,
            "components": {
                "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
                "schemas": generator.take_definitions(true),
            },
        });
        (self.router, document)
    }
}
