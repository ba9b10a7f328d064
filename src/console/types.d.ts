// What the listener answers, by the path that is asked for: for the check of types alone (`.ci/console`), and no part of the
// program. `generated` is made there, of openapi/nearline.json and openapi/operators.json.
import type * as api from "./generated/api";
import type * as operators from "./generated/operators";

/** Both descriptions: the console asks one origin. */
type Paths = api.paths & operators.paths;

/** The parts of a path, without its question. */
type Parts<P extends string> = P extends `${infer Path}?${string}` ? Parts<Path>
  : P extends `${infer First}/${infer Rest}` ? [First, ...Parts<Rest>] : [P];
/** Parts of a path of the description: anything may stand where it has a name. */
type Named<T extends string[]> = { [I in keyof T]: T[I] extends `{${string}}` ? string : T[I] };
type Route<P extends string> = P extends string ? { [K in keyof Paths]: K extends `/${infer Path}` ? (Parts<P> extends Named<Parts<Path>> ? K : never) : never }[keyof Paths] : never;
type Ok<Operation> = Operation extends { responses: { 200: { content: { "application/json": infer Body } } } } ? Body
  : Operation extends { responses: { 202: { content: { "application/json": infer Body } } } } ? Body : undefined;

/** The body of an answer that is no problem; a path that is in no description has none. */
export type Answer<P extends string, M extends string> =
  Route<P> extends infer K extends keyof Paths ? (Lowercase<M> extends keyof Paths[K] ? Ok<Paths[K][Lowercase<M>]> : never) : never;

/** A path that is in a description; others may not be asked for. */
export type Known<P extends string> = [Route<P>] extends [never] ? never : P;

type Schemas = api.components["schemas"] & operators.components["schemas"];
/** A document of the descriptions. */
export type Document<Name extends keyof Schemas> = Schemas[Name];
/** The document of an event of `admin/stream`. */
export type Told<Name extends keyof Document<"StreamEvents">> = Document<"StreamEvents">[Name];
export type Signal<T> = { value: T };
