// As far as the console uses it. What begins as nothing says itself what it will be.
export function signal(value: null): { value: any };
export function signal(value: never[]): { value: any[] };
export function signal<T>(value: T): { value: T };
export function effect(run: () => void): () => void;
