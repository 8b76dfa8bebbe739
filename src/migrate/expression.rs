//! GitHub's expressions, as far as conditions and names need them. What is not understood is `None`: nobody guesses.

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Text(String),
    Bool(bool),
    /// `github.event.number`, as written.
    Path(String),
    Call(String, Vec<Expr>),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    /// `true`: `==`.
    Equal(bool, Box<Expr>, Box<Expr>),
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece<'t> {
    Literal(&'t str),
    /// What stands between `${{` and `}}`.
    Expression(&'t str),
}

/// The deepest nesting read.
const DEEPEST: usize = 24;
/// The longest expression read.
const LONGEST: usize = 4096;

impl Expr {
    /// Whether it reads this, or a part of it: `matrix.os` is read by `matrix.os.name`, not by `matrix.os_version`.
    fn reads(&self, what: &str) -> bool {
        match self {
            Self::Text(_) | Self::Bool(_) => false,
            Self::Path(path) => {
                path.get(..what.len()).is_some_and(|head| head.eq_ignore_ascii_case(what))
                    && matches!(path.as_bytes().get(what.len()), None | Some(b'.'))
            }
            Self::Call(_, arguments) => arguments.iter().any(|argument| argument.reads(what)),
            Self::Not(inner) => inner.reads(what),
            Self::And(a, b) | Self::Or(a, b) | Self::Equal(_, a, b) => a.reads(what) || b.reads(what),
        }
    }
}

/// Whether an expression in the text reads this. One that is not understood does where it names it.
pub(super) fn reads(text: &str, what: &str) -> bool {
    pieces(text).into_iter().any(|piece| match piece {
        Piece::Literal(_) => false,
        Piece::Expression(inner) => parse(inner).map_or_else(|| inner.contains(what), |expr| expr.reads(what)),
    })
}

/// Splits a text into literal parts and expressions. One that is not closed is literal.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((open, close)) = rest.find("${{").and_then(|open| Some((open, open + rest[open..].find("}}")?))) {
        if open > 0 {
            out.push(Piece::Literal(&rest[..open]));
        }
        out.push(Piece::Expression(rest[open + 3..close].trim()));
        rest = &rest[close + 2..];
    }
    if !rest.is_empty() {
        out.push(Piece::Literal(rest));
    }
    out
}

/// Reads what stands between `${{` and `}}`, or an `if:`.
pub(super) fn parse(text: &str) -> Option<Expr> {
    if text.len() > LONGEST {
        return None;
    }
    let mut reader = Reader { rest: text };
    let expr = reader.or(0)?;
    reader.blank();
    reader.rest.is_empty().then_some(expr)
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.blank();
        self.rest.strip_prefix(token).map(|rest| self.rest = rest).is_some()
    }

    fn or(&mut self, depth: usize) -> Option<Expr> {
        let mut left = self.and(depth)?;
        while self.take("||") {
            left = Expr::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Some(left)
    }

    fn and(&mut self, depth: usize) -> Option<Expr> {
        let mut left = self.equal(depth)?;
        while self.take("&&") {
            left = Expr::And(Box::new(left), Box::new(self.equal(depth)?));
        }
        Some(left)
    }

    fn equal(&mut self, depth: usize) -> Option<Expr> {
        let mut left = self.unary(depth)?;
        loop {
            let same = match () {
                () if self.take("==") => true,
                () if self.take("!=") => false,
                () => return Some(left),
            };
            left = Expr::Equal(same, Box::new(left), Box::new(self.unary(depth)?));
        }
    }

    fn unary(&mut self, depth: usize) -> Option<Expr> {
        if depth > DEEPEST {
            return None;
        }
        self.blank();
        if self.rest.starts_with('!') && !self.rest.starts_with("!=") {
            self.rest = &self.rest[1..];
            return Some(Expr::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.or(depth + 1)?;
            return self.take(")").then_some(inner);
        }
        if self.rest.starts_with('\'') {
            return self.quoted().map(Expr::Text);
        }
        let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if word.is_empty() {
            return None;
        }
        self.rest = rest;
        match word {
            "true" => return Some(Expr::Bool(true)),
            "false" => return Some(Expr::Bool(false)),
            "null" => return Some(Expr::Text(String::new())),
            number if number.bytes().all(|b| b.is_ascii_digit()) => return Some(Expr::Text(number.to_owned())),
            _ => {}
        }
        if self.rest.starts_with('(') {
            self.rest = &self.rest[1..];
            return self.arguments(depth).map(|arguments| Expr::Call(word.to_ascii_lowercase(), arguments));
        }
        let mut path = word.to_owned();
        while self.rest.starts_with("['") {
            self.rest = &self.rest[1..];
            let name = self.quoted()?;
            self.rest = self.rest.strip_prefix(']')?;
            path = format!("{path}.{name}");
        }
        // `a.*` and `a[0]` are not read.
        (!self.rest.starts_with(['[', '*', '.'])).then_some(Expr::Path(path))
    }

    fn arguments(&mut self, depth: usize) -> Option<Vec<Expr>> {
        let mut arguments = Vec::new();
        if self.take(")") {
            return Some(arguments);
        }
        loop {
            arguments.push(self.or(depth + 1)?);
            if self.take(")") {
                return Some(arguments);
            }
            if !self.take(",") {
                return None;
            }
        }
    }

    /// `'it''s'`.
    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut rest = self.rest.strip_prefix('\'')?;
        loop {
            let end = rest.find('\'')?;
            text.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('\'') {
                Some(more) => {
                    text.push('\'');
                    rest = more;
                }
                None => {
                    self.rest = rest;
                    return Some(text);
                }
            }
        }
    }
}
