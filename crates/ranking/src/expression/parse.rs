//! Tokens to a checked program, in one pass: precedence climbing, types checked on the way up.

use super::kind::{ExpressionError, Type};
use super::name::{OBJECTS, field, fields_of, is_object};
use super::node::{Arithmetic, Comparison, Node, TextTest};
use super::token::{Placed, Token};
use super::{MAX_DEPTH, MAX_NODES};

/// A checked part of an expression.
type Typed = (Node, Type);

/// Reads tokens.
pub(super) struct Parser<'t> {
    tokens: &'t [Placed],
    at: usize,
    depth: usize,
    nodes: usize,
    /// Variables of the macros around, the outermost first.
    variables: Vec<(String, Type)>,
}

/// What a binary operator does.
#[derive(Clone, Copy)]
enum Binary {
    Or,
    And,
    Compare(Comparison),
    In,
    Compute(Arithmetic),
}

/// Operators by how tightly they bind, loosest first (CEL's grammar, `langdef.md`).
const BINARY: [(&str, u8, Binary); 14] = [
    ("||", 1, Binary::Or),
    ("&&", 2, Binary::And),
    ("==", 3, Binary::Compare(Comparison::Equal)),
    ("!=", 3, Binary::Compare(Comparison::Unequal)),
    ("<", 3, Binary::Compare(Comparison::Less)),
    ("<=", 3, Binary::Compare(Comparison::LessOrEqual)),
    (">", 3, Binary::Compare(Comparison::Greater)),
    (">=", 3, Binary::Compare(Comparison::GreaterOrEqual)),
    ("in", 3, Binary::In),
    ("+", 4, Binary::Compute(Arithmetic::Add)),
    ("-", 4, Binary::Compute(Arithmetic::Subtract)),
    ("*", 5, Binary::Compute(Arithmetic::Multiply)),
    ("/", 5, Binary::Compute(Arithmetic::Divide)),
    ("%", 5, Binary::Compute(Arithmetic::Remainder)),
];

impl<'t> Parser<'t> {
    pub fn new(tokens: &'t [Placed]) -> Self {
        Self { tokens, at: 0, depth: 0, nodes: 0, variables: Vec::new() }
    }

    /// The whole expression.
    pub fn program(mut self) -> Result<Typed, ExpressionError> {
        let program = self.expression()?;
        match self.peek() {
            Token::End => Ok(program),
            other => Err(self.wrong(format!("{} does not belong here", shown(other)))),
        }
    }

    fn peek(&self) -> &'t Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)].0
    }

    fn place(&self) -> usize {
        self.tokens[self.at.min(self.tokens.len() - 1)].1
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(found) if *found == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), ExpressionError> {
        if self.take(sign) {
            return Ok(());
        }
        Err(self.wrong(format!("{} stands where {sign} is expected", shown(self.peek()))))
    }

    fn wrong(&self, detail: impl Into<String>) -> ExpressionError {
        ExpressionError::at(self.place(), detail)
    }

    fn count(&mut self) -> Result<(), ExpressionError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let detail = format!("the expression has more than {MAX_NODES} operators, names and literals");
            return Err(self.wrong(detail));
        }
        Ok(())
    }

    /// One level deeper.
    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ExpressionError>,
    ) -> Result<T, ExpressionError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.wrong(format!("nested more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn expression(&mut self) -> Result<Typed, ExpressionError> {
        self.nested(|parser| {
            let place = parser.place();
            let condition = parser.binary(1)?;
            if !parser.take("?") {
                return Ok(condition);
            }
            expect_type(&condition, Type::Bool, place, "the condition before ?")?;
            parser.count()?;
            let then = parser.binary(1)?;
            parser.expect(":")?;
            let place = parser.place();
            let otherwise = parser.expression()?;
            if then.1 != otherwise.1 {
                let (left, right) = (then.1.name(), otherwise.1.name());
                let hint = if then.1.is_number() && otherwise.1.is_number() {
                    "; write 2.0 for a double"
                } else {
                    ""
                };
                let detail =
                    format!("both sides of : must be of one type; they are {left} and {right}{hint}");
                return Err(ExpressionError::at(place, detail));
            }
            Ok((Node::Conditional(Box::new((condition.0, then.0, otherwise.0))), then.1))
        })
    }

    /// A chain of binary operators that bind at least as tightly as `least`.
    fn binary(&mut self, least: u8) -> Result<Typed, ExpressionError> {
        let mut left = self.unary()?;
        loop {
            let name = match self.peek() {
                Token::Sign(sign) => *sign,
                Token::Name(name) if name == "in" => "in",
                _ => return Ok(left),
            };
            let Some((sign, binds, operator)) = BINARY.iter().find(|(sign, ..)| *sign == name) else {
                return Ok(left);
            };
            if *binds < least {
                return Ok(left);
            }
            let place = self.place();
            self.at += 1;
            self.count()?;
            let right = self.binary(binds + 1)?;
            left = combine(*operator, sign, left, right, place)?;
        }
    }

    fn unary(&mut self) -> Result<Typed, ExpressionError> {
        let place = self.place();
        if self.take("!") {
            self.count()?;
            let value = self.nested(Self::unary)?;
            expect_type(&value, Type::Bool, place, "what ! turns round")?;
            return Ok((Node::Not(Box::new(value.0)), Type::Bool));
        }
        if self.take("-") {
            self.count()?;
            let value = self.nested(Self::unary)?;
            if !value.1.is_number() {
                let detail = format!("- is for numbers; this is {}", value.1.name());
                return Err(ExpressionError::at(place, detail));
            }
            return Ok((Node::Negate(Box::new(value.0)), value.1));
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Result<Typed, ExpressionError> {
        let mut value = self.primary()?;
        while self.take(".") {
            let place = self.place();
            let Token::Name(name) = self.peek() else {
                return Err(self.wrong("a function is expected after the dot"));
            };
            self.at += 1;
            self.count()?;
            if !self.take("(") {
                let detail = format!("{} has no field {name}", value.1.name());
                return Err(ExpressionError::at(place, detail));
            }
            value = self.method(value, name, place)?;
        }
        if self.is("[") {
            return Err(self.wrong("elements cannot be taken by index; use in, exists or all"));
        }
        Ok(value)
    }

    /// A call on a value, its opening parenthesis read.
    fn method(&mut self, value: Typed, name: &str, place: usize) -> Result<Typed, ExpressionError> {
        let test = match name {
            "startsWith" => Some(TextTest::StartsWith),
            "endsWith" => Some(TextTest::EndsWith),
            "contains" => Some(TextTest::Contains),
            _ => None,
        };
        if let Some(test) = test {
            let subject = format!("what {name} is asked of");
            expect_type(&value, Type::Text, place, &subject)?;
            let place = self.place();
            let part = self.expression()?;
            expect_type(&part, Type::Text, place, &format!("the argument of {name}"))?;
            self.expect(")")?;
            return Ok((Node::Test(test, Box::new(value.0), Box::new(part.0)), Type::Bool));
        }
        match name {
            "size" => {
                self.expect(")")?;
                size(value, place)
            }
            "exists" | "all" => self.over(value, name, place),
            _ => {
                let known = "startsWith, endsWith, contains, size, exists, all";
                Err(ExpressionError::at(place, format!("{name} is not known; known are {known}")))
            }
        }
    }

    /// `exists` and `all`, their opening parenthesis read.
    fn over(&mut self, list: Typed, name: &str, place: usize) -> Result<Typed, ExpressionError> {
        let element = match list.1 {
            Type::Texts => Type::Text,
            Type::Ints => Type::Int,
            other => {
                let detail = format!("{name} is asked of lists; this is {}", other.name());
                return Err(ExpressionError::at(place, detail));
            }
        };
        let Token::Name(variable) = self.peek() else {
            return Err(self.wrong(format!("{name} needs a variable first: {name}(x, x != 'horror')")));
        };
        if is_object(variable) || is_word(variable) || self.variables.iter().any(|(v, _)| v == variable) {
            return Err(self.wrong(format!("{variable} has a meaning already; take another variable")));
        }
        self.at += 1;
        self.expect(",")?;
        let place = self.place();
        self.variables.push((variable.clone(), element));
        let condition = self.expression();
        self.variables.pop();
        let condition = condition?;
        expect_type(&condition, Type::Bool, place, &format!("the condition of {name}"))?;
        self.expect(")")?;
        let (list, condition) = (Box::new(list.0), Box::new(condition.0));
        let node = if name == "all" { Node::All(list, condition) } else { Node::Exists(list, condition) };
        Ok((node, Type::Bool))
    }

    fn primary(&mut self) -> Result<Typed, ExpressionError> {
        let place = self.place();
        self.count()?;
        let token = self.peek();
        self.at += 1;
        match token {
            Token::Int(value) => Ok((Node::Int(*value), Type::Int)),
            Token::Double(value) => Ok((Node::Double(*value), Type::Double)),
            Token::Text(text) => Ok((Node::Text(text.clone()), Type::Text)),
            Token::Sign("(") => {
                let value = self.expression()?;
                self.expect(")")?;
                Ok(value)
            }
            Token::Sign("[") => self.list(place),
            Token::Name(name) => self.named(name, place),
            other => {
                self.at -= 1;
                Err(self.wrong(format!("{} stands where a value is expected", shown(other))))
            }
        }
    }

    /// A list of literals, its opening bracket read.
    fn list(&mut self, place: usize) -> Result<Typed, ExpressionError> {
        let (mut texts, mut numbers) = (Vec::new(), Vec::new());
        while !self.is("]") {
            if !texts.is_empty() || !numbers.is_empty() {
                self.expect(",")?;
                if self.is("]") {
                    break;
                }
            }
            self.count()?;
            let negative = self.take("-");
            match self.peek() {
                Token::Text(text) if numbers.is_empty() && !negative => texts.push(text.clone()),
                Token::Int(number) if texts.is_empty() => {
                    numbers.push(if negative { -*number } else { *number });
                }
                other => {
                    let detail = format!("{}: lists are of strings alone or of ints alone", shown(other));
                    return Err(self.wrong(detail));
                }
            }
            self.at += 1;
        }
        self.expect("]")?;
        match (texts.is_empty(), numbers.is_empty()) {
            (true, true) => Err(ExpressionError::at(place, "the list is empty")),
            (_, true) => Ok((Node::Texts(texts), Type::Texts)),
            _ => Ok((Node::Ints(numbers), Type::Ints)),
        }
    }

    fn named(&mut self, name: &str, place: usize) -> Result<Typed, ExpressionError> {
        match name {
            "true" | "false" => return Ok((Node::Bool(name == "true"), Type::Bool)),
            "has" | "size" | "double" => return self.function(name, place),
            _ => {}
        }
        if let Some(number) = self.variables.iter().position(|(variable, _)| variable == name) {
            return Ok((Node::Variable(number), self.variables[number].1));
        }
        let (field, kind) = self.field(name, place)?;
        Ok((Node::Field(field), kind))
    }

    /// A field of an object whose name is read.
    fn field(&mut self, object: &str, place: usize) -> Result<(super::name::Field, Type), ExpressionError> {
        if !is_object(object) {
            let detail = format!("{object} is not known; there are {OBJECTS}");
            return Err(ExpressionError::at(place, detail));
        }
        if !self.take(".") {
            let detail = format!("{object} needs a field: {}", fields_of(object));
            return Err(ExpressionError::at(place, detail));
        }
        let Token::Name(name) = self.peek() else {
            return Err(self.wrong(format!("{object} needs a field: {}", fields_of(object))));
        };
        let Some(found) = field(object, name) else {
            let detail = format!("{object} has no field {name}; it has {}", fields_of(object));
            return Err(self.wrong(detail));
        };
        self.at += 1;
        Ok(found)
    }

    fn function(&mut self, name: &str, place: usize) -> Result<Typed, ExpressionError> {
        self.expect("(")?;
        if name == "has" {
            let at = self.place();
            let Token::Name(object) = self.peek() else {
                return Err(self.wrong("has is asked of a field: has(title.year)"));
            };
            self.at += 1;
            let (field, _) = self.field(object, at)?;
            self.expect(")")?;
            return Ok((Node::Has(field), Type::Bool));
        }
        let value = self.expression()?;
        self.expect(")")?;
        if name == "size" {
            return size(value, place);
        }
        if !value.1.is_number() {
            let detail = format!("double is of a number; this is {}", value.1.name());
            return Err(ExpressionError::at(place, detail));
        }
        Ok((Node::ToDouble(Box::new(value.0)), Type::Double))
    }
}

fn is_word(name: &str) -> bool {
    matches!(name, "true" | "false" | "null" | "in" | "has" | "size" | "double")
}

fn size(value: Typed, place: usize) -> Result<Typed, ExpressionError> {
    match value.1 {
        Type::Text | Type::Texts | Type::Ints => Ok((Node::Size(Box::new(value.0)), Type::Int)),
        other => {
            let detail = format!("size is of strings and lists; this is {}", other.name());
            Err(ExpressionError::at(place, detail))
        }
    }
}

fn expect_type(value: &Typed, expected: Type, place: usize, what: &str) -> Result<(), ExpressionError> {
    if value.1 == expected {
        return Ok(());
    }
    let detail = format!("{what} is of type {}; expected {}", value.1.name(), expected.name());
    Err(ExpressionError::at(place, detail))
}

fn combine(
    operator: Binary,
    sign: &str,
    left: Typed,
    right: Typed,
    place: usize,
) -> Result<Typed, ExpressionError> {
    let (kinds, names) = ((left.1, right.1), (left.1.name(), right.1.name()));
    let (left, right) = (Box::new(left.0), Box::new(right.0));
    let fits = match operator {
        Binary::And | Binary::Or => kinds == (Type::Bool, Type::Bool),
        Binary::Compare(Comparison::Equal | Comparison::Unequal) => {
            kinds.0 == kinds.1 || (kinds.0.is_number() && kinds.1.is_number())
        }
        Binary::Compare(_) => {
            (kinds.0.is_number() && kinds.1.is_number())
                || (kinds.0 == kinds.1 && matches!(kinds.0, Type::Text | Type::Bool))
        }
        Binary::In => kinds == (Type::Text, Type::Texts) || (kinds.0.is_number() && kinds.1 == Type::Ints),
        Binary::Compute(Arithmetic::Remainder) => kinds == (Type::Int, Type::Int),
        Binary::Compute(_) => kinds.0 == kinds.1 && kinds.0.is_number(),
    };
    if !fits {
        let hint = match operator {
            Binary::Compute(_) if kinds.0.is_number() && kinds.1.is_number() => "; use double() on the int",
            Binary::In => "; expected an element and a list of such elements",
            _ => "",
        };
        let detail = format!("{sign} cannot be between {} and {}{hint}", names.0, names.1);
        return Err(ExpressionError::at(place, detail));
    }
    Ok(match operator {
        Binary::Or => (Node::Or(left, right), Type::Bool),
        Binary::And => (Node::And(left, right), Type::Bool),
        Binary::Compare(comparison) => (Node::Compare(comparison, left, right), Type::Bool),
        Binary::In => (Node::In(left, right), Type::Bool),
        Binary::Compute(operation) => (Node::Compute(operation, left, right), kinds.0),
    })
}

fn shown(token: &Token) -> String {
    match token {
        Token::Name(name) => name.clone(),
        Token::Int(number) => number.to_string(),
        Token::Double(number) => number.to_string(),
        Token::Text(text) => format!("{text:?}"),
        Token::Sign(sign) => (*sign).to_owned(),
        Token::End => "the end".to_owned(),
    }
}
