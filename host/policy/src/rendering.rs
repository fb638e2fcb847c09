//! Mistakes as a person reads them: each with its line, and what of it is
//! wrong underlined. It must not decide what a mistake is.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::{Diagnostic, PolicyError, Shown};

pub(crate) fn plain(error: &PolicyError) -> Shown {
    render(error, &Renderer::plain())
}

pub(crate) fn styled(error: &PolicyError) -> Shown {
    render(error, &Renderer::styled())
}

fn render(error: &PolicyError, renderer: &Renderer) -> Shown {
    let mistakes = error.diagnostics().iter().map(group);
    let omitted = match error.omitted() {
        0 => None,
        1 => Some("there is 1 more mistake".to_owned()),
        omitted => Some(format!("there are {omitted} more mistakes")),
    };
    let omitted = omitted.map(|text| Group::with_title(Level::ERROR.primary_title(text)));
    let rendered: Vec<String> = mistakes
        .chain(omitted)
        .map(|mistake| renderer.render(&[mistake]))
        .collect();
    Shown::of_ours(rendered.join("\n\n"))
}

fn group(diagnostic: &Diagnostic) -> Group<'_> {
    let excerpt = &diagnostic.excerpt;
    let underlined = AnnotationKind::Primary.span(excerpt.span.clone());
    let line = Snippet::source(excerpt.line.as_str()).annotation(underlined);
    let line = match diagnostic.position {
        Some(position) => line.line_start(position.line),
        None => line.line_numbering(false),
    };
    let hint = diagnostic.hint.as_deref().map(Shown::lines);
    // The column is that of the whole line, of which this may be a part.
    Level::ERROR
        .primary_title(Shown::lines(diagnostic.title()).into_string())
        .element(line)
        .elements(hint.map(|hint| Level::HELP.message(hint.into_string())))
}
