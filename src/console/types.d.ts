// What the API answers, by the path that is asked for: for the check of types alone (`.ci/console`), and no part of the program.
// The operators' own documents are in no description; they are not checked.
import type { components, paths } from "../../crates/clients/typescript/src/generated";

/** The parts of a path, without its question. */
type Parts<P extends string> = P extends `${infer Path}?${string}` ? Parts<Path>
  : P extends `${infer First}/${infer Rest}` ? [First, ...Parts<Rest>] : [P];
/** Parts of a path of the description: anything may stand where it has a name. */
type Named<T extends string[]> = { [I in keyof T]: T[I] extends `{${string}}` ? string : T[I] };
type Route<P extends string> = { [K in keyof paths]: K extends `/${infer Path}` ? (Parts<P> extends Named<Parts<Path>> ? K : never) : never }[keyof paths];
type Ok<Operation> = Operation extends { responses: { 200: { content: { "application/json": infer Body } } } } ? Body
  : Operation extends { responses: { 202: { content: { "application/json": infer Body } } } } ? Body : undefined;

/** The body of an answer that is no problem. */
export type Answer<P extends string, M extends string> = P extends `v1/${string}`
  ? Route<P> extends infer K extends keyof paths ? (Lowercase<M> extends keyof paths[K] ? Ok<paths[K][Lowercase<M>]> : never) : never
  : any;

/** A document of the description. */
export type Document<Name extends keyof components["schemas"]> = components["schemas"][Name];
export type Signal<T> = { value: T };
