// As far as the console uses it.

/** What handlers of events are told. */
export interface Input { target: { value: string; checked: boolean; elements: Record<string, HTMLInputElement> }; preventDefault(): void }
type Value = string | number | boolean | null | undefined | object | ((event: Input) => unknown);
declare const htm: { bind(make: (...all: any[]) => any): (texts: TemplateStringsArray, ...values: Value[]) => any };
export default htm;
