// As far as the console uses it.
export function h(kind: any, properties: any, ...children: any[]): any;
export function render(what: any, into: Element | null): void;
