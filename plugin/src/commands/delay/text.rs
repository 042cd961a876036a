//! Changing YAML as text, so that comments, order and style stay as they are.
//!
//! Only block style is changed, one key a line, which is how people write manifests. The result is read again and
//! compared with what it should mean, so a document is changed rightly or not at all.

use serde_json::Value;

use super::edit::{Change, merge};

/// A document as lines, each with its line end.
struct Lines {
    lines: Vec<String>,
}

/// Where a mapping's entries are: from this line to that, with this indentation.
#[derive(Clone, Copy)]
struct Block {
    begin: usize,
    end: usize,
    indent: usize,
}

/// The documents of a text, separators included, so that together they are the text.
pub(super) fn documents(text: &str) -> Vec<&str> {
    let mut documents = Vec::new();
    let (mut begin, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        let is_separator = line.trim_end() == "---" || line.starts_with("--- ");
        if is_separator && at > begin {
            documents.extend(text.get(begin..at));
            begin = at;
        }
        at += line.len();
    }
    documents.extend(text.get(begin..).filter(|rest| !rest.is_empty()));
    documents
}

/// The document with these changes in the template at this path. `object` is what it says now, `patch` the same
/// changes as a merge patch.
pub(super) fn edit(
    document: &str,
    changes: &[Change],
    template: &[&str],
    object: &Value,
    patch: &Value,
) -> Result<String, String> {
    let mut lines = Lines::of(document);
    for change in changes {
        let path: Vec<&str> =
            template.iter().copied().chain(change.path).chain(change.key.as_deref()).collect();
        lines.set(&path, change.new.as_deref())?;
    }
    let text = lines.lines.concat();
    let mut expected = object.clone();
    merge(&mut expected, patch, true);
    let seen: Option<Value> = serde_yaml::from_str(&text).ok();
    if seen.as_ref().map(without_empty) == Some(without_empty(&expected)) {
        Ok(text)
    } else {
        Err("its YAML can't be changed line by line".to_owned())
    }
}

/// Maps without entries are as good as absent.
fn without_empty(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().map(|(key, value)| (key.clone(), without_empty(value)));
            let is_empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
            Value::Object(kept.filter(|(_, value)| !is_empty(value) && !value.is_null()).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_empty).collect()),
        other => other.clone(),
    }
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Whether the line says something: it is neither blank nor a comment.
fn is_content(line: &str) -> bool {
    let text = line.trim();
    !text.is_empty() && !text.starts_with('#') && text != "---"
}

/// What follows the key on its line; none if the line has another key.
fn value_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let text = line.trim_start_matches(' ');
    let quoted = [format!("\"{key}\""), format!("'{key}'")];
    let rest = text
        .strip_prefix(key)
        .or_else(|| quoted.iter().find_map(|quoted| text.strip_prefix(quoted.as_str())))?;
    let rest = rest.strip_prefix(':')?;
    (rest.trim_end().is_empty() || rest.starts_with([' ', '\t'])).then_some(rest)
}

/// The comment at the end of a value, with the space before it.
fn comment_of(value: &str) -> &str {
    let mut quote = None;
    for (idx, letter) in value.char_indices() {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            (None, '#') if value.get(..idx).is_some_and(|before| before.ends_with([' ', '\t'])) => {
                let before = value.get(..idx).unwrap_or_default();
                return value.get(before.trim_end().len()..).unwrap_or_default().trim_end();
            }
            _ => (),
        }
    }
    ""
}

/// A value as a quoted text, which every reader takes for one.
fn quoted(value: &str) -> String {
    format!("\"{value}\"")
}

// === impl Lines ===

impl Lines {
    fn of(document: &str) -> Self {
        Self { lines: document.split_inclusive('\n').map(str::to_owned).collect() }
    }

    fn line(&self, idx: usize) -> &str {
        self.lines.get(idx).map_or("", String::as_str)
    }

    /// The mapping that is the document itself.
    fn root(&self) -> Block {
        let first = self.lines.iter().position(|line| is_content(line)).unwrap_or(0);
        Block { begin: 0, end: self.lines.len(), indent: indent_of(self.line(first)) }
    }

    /// The line of a key in a mapping.
    fn find(&self, block: Block, key: &str) -> Option<usize> {
        (block.begin..block.end).find(|idx| {
            let line = self.line(*idx);
            is_content(line) && indent_of(line) == block.indent && value_of(line, key).is_some()
        })
    }

    /// One past the last line of what belongs to the key on this line. Blank lines and comments after it belong
    /// to what follows.
    fn end_of(&self, key: usize, block: Block) -> usize {
        let indent = block.indent;
        let next = (key + 1..block.end).find(|idx| {
            let line = self.line(*idx);
            is_content(line)
                && indent_of(line) <= indent
                && !(indent_of(line) == indent && line.trim_start().starts_with("- "))
        });
        let mut end = next.unwrap_or(block.end);
        while end > key + 1 && !is_content(self.line(end - 1)) {
            end -= 1;
        }
        end
    }

    /// The mapping that is the value of the key on this line. One that is not there, or empty, is made, to be
    /// filled: then it has no lines yet.
    fn inside(&mut self, key: usize, name: &str, block: Block) -> Result<Block, String> {
        let line = self.line(key).to_owned();
        let value = value_of(&line, name).unwrap_or_default();
        let comment = comment_of(value).to_owned();
        let value = value.trim();
        let bare = value.strip_suffix(comment.trim()).unwrap_or(value).trim();
        let end = self.end_of(key, block);
        if !bare.is_empty() {
            if !["{}", "null", "~"].contains(&bare) {
                return Err(format!("{name} is in flow style"));
            }
            let head = line.split(':').next().unwrap_or_default();
            if let Some(slot) = self.lines.get_mut(key) {
                *slot = format!("{head}:{comment}\n");
            }
        }
        let first = (key + 1..end).find(|idx| is_content(self.line(*idx)));
        let indent = first.map_or(block.indent + 2, |idx| indent_of(self.line(idx)));
        if first.is_some() && indent <= block.indent {
            return Err(format!("{name} is no mapping"));
        }
        Ok(Block { begin: key + 1, end, indent })
    }

    /// Sets the value at this path, or takes it out.
    fn set(&mut self, path: &[&str], value: Option<&str>) -> Result<(), String> {
        let Some((last, outer)) = path.split_last() else { return Ok(()) };
        let mut block = self.root();
        for name in outer {
            let key = match (self.find(block, name), value) {
                (Some(key), _) => key,
                (None, None) => return Ok(()),
                (None, Some(_)) => self.insert(block, &format!("{name}:"), block.begin_of_entries(self)),
            };
            // A line may have been added.
            block.end = block.end.max(key + 1);
            block = self.inside(key, name, block)?;
        }
        match (self.find(block, last), value) {
            (Some(key), Some(value)) => self.replace(key, last, value, block),
            (Some(key), None) => {
                let end = self.end_of(key, block);
                self.lines.drain(key..end);
            }
            (None, Some(value)) => {
                let at = self.end_of_entries(block);
                self.insert(block, &format!("{last}: {}", quoted(value)), at);
            }
            (None, None) => (),
        }
        Ok(())
    }

    fn replace(&mut self, key: usize, name: &str, value: &str, block: Block) {
        let line = self.line(key).to_owned();
        let rest = value_of(&line, name).unwrap_or_default();
        let head = line.get(..line.len() - rest.len()).unwrap_or_default();
        let comment = comment_of(rest);
        let ending = if line.ends_with("\r\n") { "\r\n" } else { "\n" };
        let end = self.end_of(key, block);
        self.lines.splice(key..end, [format!("{head} {}{comment}{ending}", quoted(value))]);
    }

    /// Puts a line into the mapping; the place where it is.
    fn insert(&mut self, block: Block, text: &str, at: usize) -> usize {
        // The last line of a file may lack its end.
        if let Some(last) = at.checked_sub(1).and_then(|before| self.lines.get_mut(before))
            && !last.ends_with('\n')
        {
            last.push('\n');
        }
        self.lines.insert(at, format!("{}{text}\n", " ".repeat(block.indent)));
        at
    }

    fn end_of_entries(&self, block: Block) -> usize {
        let last = (block.begin..block.end).rev().find(|idx| is_content(self.line(*idx)));
        last.map_or(block.begin, |idx| idx + 1)
    }
}

// === impl Block ===

impl Block {
    /// Where the first entry is.
    fn begin_of_entries(self, lines: &Lines) -> usize {
        (self.begin..self.end).find(|idx| is_content(lines.line(*idx))).unwrap_or(self.begin)
    }
}

#[cfg(test)]
mod tests {
    use super::super::edit::{Template, patch};
    use super::super::words::{Kind, Wish};
    use super::super::workload::Workload;
    use super::*;

    const DEPLOYMENT: &str = "\
# What it is for
apiVersion: apps/v1
kind: Deployment
metadata:
  name: video   # a name
spec:
  replicas: 3
  template:
    metadata:
      labels:
        app: video   # of everybody
        delay_edge-9: '7'   # far away

        # the next one is important
        tier: front
    spec:
      # the image
      containers:
      - name: video
        image: video:1
";

    fn set(document: &str, wishes: &[&str]) -> Result<String, String> {
        let workload = Workload::of(serde_yaml::from_str(document).unwrap(), None, "default").unwrap();
        let wishes: Vec<Wish> = wishes.iter().map(|wish| Wish::parse(wish).unwrap()).collect();
        let template = workload.template();
        let mut changes = template.set(&wishes);
        changes.push(template.schedule_by("edge-scheduler"));
        let patch = patch(&changes, workload.kind.template());
        edit(document, &changes, workload.kind.template(), &workload.object, &patch)
    }

    #[test]
    fn comments_and_order_stay() {
        let seen = set(DEPLOYMENT, &["edge-1=25ms", "edge-9=2.5"]).unwrap();
        let expected = DEPLOYMENT
            .replace("delay_edge-9: '7'", "delay_edge-9: \"2.5\"")
            .replace("        tier: front\n", "        tier: front\n        delay_edge-1: \"25\"\n")
            .replace("image: video:1\n", "image: video:1\n      schedulerName: \"edge-scheduler\"\n");
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_is_not_there_is_made() {
        let check =
            |document: &str, expected: &str| assert_eq!(set(document, &["a=1"]).as_deref(), Ok(expected));
        check(
            "kind: Pod\nmetadata:\n  name: x\nspec:\n  containers: []",
            "kind: Pod\nmetadata:\n  labels:\n    delay_a: \"1\"\n  name: x\nspec:\n  containers: []\n  schedulerName: \"edge-scheduler\"\n",
        );
        check(
            "kind: Deployment\nmetadata: {name: x}\nspec:\n    template:\n        metadata:\n            labels: {}  # none\n        spec: {}\n",
            "kind: Deployment\nmetadata: {name: x}\nspec:\n    template:\n        metadata:\n            labels:  # none\n              delay_a: \"1\"\n        spec:\n          schedulerName: \"edge-scheduler\"\n",
        );
    }

    #[test]
    fn what_can_t_be_changed_line_by_line_is_left_alone() {
        let flow = "kind: Deployment\nmetadata: {name: x}\nspec: {template: {metadata: {labels: {a: b}}, spec: {}}}\n";
        assert_eq!(set(flow, &["a=1"]), Err("spec is in flow style".to_owned()));
    }

    #[test]
    fn unset_takes_the_line_out() {
        let workload = Workload::of(serde_yaml::from_str(DEPLOYMENT).unwrap(), None, "default").unwrap();
        let (changes, _) = Template::of(workload.template_object()).unset(&["edge-9"]);
        let path = Kind::Deployment.template();
        let seen = edit(DEPLOYMENT, &changes, path, &workload.object, &patch(&changes, path)).unwrap();
        assert_eq!(seen, DEPLOYMENT.replace("        delay_edge-9: '7'   # far away\n", ""));
    }

    #[test]
    fn documents_together_are_the_text() {
        let text = "# head\n---\na: 1\n---\nb: 2\n";
        assert_eq!(documents(text), ["# head\n", "---\na: 1\n", "---\nb: 2\n"]);
        assert_eq!(documents("a: 1"), ["a: 1"]);
    }
}
