//! What is wrong with a text, said so that its author can mend it.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::ops::Range;

/// The first place where a text is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, as its reader names it.
    pub file: String,
    /// Which line, from 1.
    pub line: usize,
    /// Which column, in characters from 1.
    pub column: usize,
    /// What stands there.
    pub found: String,
    /// What should.
    pub expected: String,
    /// What may help.
    pub help: Option<String>,
    /// The line, as far as it can be shown.
    pub source: String,
    /// Where in `source`, in bytes.
    pub span: Range<usize>,
}

impl Problem {
    /// The whole report: the sentence, the line, and a mark below it. `colour` is for a
    /// terminal.
    pub fn report(&self, colour: bool) -> String {
        let title = format!("found {}, expected {}", self.found, self.expected);
        let snippet = Snippet::source(self.source.as_str())
            .path(self.file.as_str())
            .line_start(self.line)
            .annotation(
                AnnotationKind::Primary
                    .span(self.span.clone())
                    .label(format!("expected {}", self.expected)),
            );
        let mut report = vec![Level::ERROR.primary_title(title).element(snippet)];
        if let Some(help) = &self.help {
            report.push(Group::with_title(Level::HELP.secondary_title(help)));
        }
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.render(&report)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{}:{}:{}: found {}, expected {}",
            self.file, self.line, self.column, self.found, self.expected
        )
    }
}

impl std::error::Error for Problem {}
