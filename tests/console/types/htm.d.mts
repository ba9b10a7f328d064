// As far as the console uses it.
declare const htm: { bind(make: (...all: any[]) => any): (texts: TemplateStringsArray, ...values: any[]) => any };
export default htm;
