// As far as the console uses it. What is nothing at first is said to be more where it is made: `any` hides mistakes.
export function signal<T>(value: T): { value: T };
export function effect(run: () => void): () => void;
