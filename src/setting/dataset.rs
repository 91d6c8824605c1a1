//! Training data (x_i, y_i), i = 1 … m: where they come from, and what is refused.

use super::file;
use crate::{Error, Result};
use std::{io::Read, path::Path};

/// Most bytes of a CSV file.
const MOST_BYTES: u64 = 1 << 29;

/// Most points of a CSV file.
const MOST_POINTS: usize = 10_000_000;

/// Most bytes of a line of a CSV file: the parser keeps a place for each field of a line.
const LONGEST_LINE: usize = 1 << 12;

/// m ≥ 1 points with distinct inputs, ascending in x (proofs.md, Setting).
///
/// Inputs and values are at most a quarter of [`f64::MAX`] in size and the slope between
/// neighbours is finite, so that every sum and difference a solver forms is finite too.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    x: Vec<f64>,
    y: Vec<f64>,
    /// `file_position[i]` is where point i of the ascending order stood when it was given.
    file_position: Vec<usize>,
}

impl Dataset {
    /// The points (x_i, y_i), i = 0 … m − 1, in any order; x and y have the same length m ≥ 1.
    ///
    /// # Errors
    /// [`Error::Data`] where there is no point, the lengths differ, a number is not finite or too
    /// large, two inputs are equal (−0.0 and 0.0 are), or a slope overflows.
    pub fn from_points(x: &[f64], y: &[f64]) -> Result<Self> {
        let place = |column: &str, points: &[usize]| {
            let names: Vec<_> = points.iter().map(|i| format!("{column}[{i}]")).collect();
            names.join(" and ")
        };
        if x.len() != y.len() {
            let what = format!("{} inputs but {} values", x.len(), y.len());
            return refuse("x and y", what, "give one value y for every input x");
        }
        if x.is_empty() {
            return refuse("x and y", "there are no points", "give at least one point");
        }
        Self::sorted(x, y, place)
    }

    /// Reads a CSV file with the header `x,y` and one point a line.
    ///
    /// Letter case of the header, spaces around fields, blank lines, either line ending and a
    /// UTF-8 byte order mark do not matter; there are no comments. A regular file of at most 2²⁹ bytes,
    /// 2¹² a line, and 10⁷ points.
    ///
    /// # Errors
    /// [`Error::File`] where the file cannot be read; [`Error::Data`], with file, line and column,
    /// where its content is not what is described above or in [`Self::from_points`].
    pub fn read_csv(path: &Path) -> Result<Self> {
        let remedy = "give a CSV file with header `x,y`, or the built-in figure1 or figure2";
        let mut bytes = Vec::new();
        file::open(path, MOST_BYTES, remedy)?
            .take(MOST_BYTES)
            .read_to_end(&mut bytes)
            .map_err(|source| Error::File {
                path: path.to_owned(),
                source,
                remedy: remedy.into(),
            })?;
        let file = path.display();
        // The reader's own count is off after blank lines and CRLF, which it skips lazily; and only
        // a message needs the number.
        let line = |start: usize| {
            let blank = bytes[start..].iter().take_while(|b| b"\r\n".contains(b));
            let end = start + blank.count();
            1 + bytes[..end].iter().filter(|&&b| b == b'\n').count()
        };
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
            Err(e) => {
                let place = format!("{file}, line {}", line(e.valid_up_to()));
                return refuse(place, "the text is not UTF-8", "save it as UTF-8");
            }
        };
        let mut lines = text.split(['\r', '\n']);
        if let Some(long) = lines.find(|line| line.len() > LONGEST_LINE) {
            let start = long.as_ptr().addr() - bytes.as_ptr().addr();
            let place = format!("{file}, line {}", line(start));
            let what = format!("{} bytes in one line", long.len());
            return refuse(place, what, "write one point `x,y` a line");
        }
        let mark = bytes.len() - text.len();
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());

        let (mut starts, mut x, mut y) = (Vec::new(), Vec::new(), Vec::new());
        let mut header = None;
        for record in reader.records() {
            let record = record.map_err(|e| Error::Data {
                place: file.to_string(),
                what: e.to_string(),
                remedy: "write the file as plain CSV".into(),
            })?;
            let start = mark + record.position().map_or(0, |p| p.byte() as usize);
            let fields: Vec<&str> = record.iter().collect();
            if header.is_none() {
                header = Some(columns(&fields, &format!("{file}, line {}", line(start)))?);
                continue;
            }
            if x.len() == MOST_POINTS {
                let what = format!("more than {MOST_POINTS} points");
                return refuse(file, what, "keep fewer points");
            }
            let &[x_text, y_text] = fields.as_slice() else {
                let what = format!("{} field(s) where the header has 2", fields.len());
                let remedy = "write one x and one y, with a decimal point, parted by one comma";
                return refuse(format!("{file}, line {}", line(start)), what, remedy);
            };
            for (column, text, values) in [("x", x_text, &mut x), ("y", y_text, &mut y)] {
                let Ok(value) = text.parse::<f64>() else {
                    let place = format!("{file}, line {}, column {column}", line(start));
                    let what = match text {
                        "" => "the field is empty".into(),
                        _ => format!("`{}` is not a number", excerpt(text)),
                    };
                    return refuse(place, what, "write a number such as -0.25 or 1e-3");
                };
                values.push(value);
            }
            starts.push(start);
        }
        if x.is_empty() {
            let (what, remedy) = match header {
                None => ("the file is empty", "write `x,y`, then one point a line"),
                Some(()) => ("no points below the header", "write one point `x,y` a line"),
            };
            return refuse(file, what, remedy);
        }
        Self::sorted(&x, &y, |column, points| {
            let lines: Vec<_> = points.iter().map(|&i| line(starts[i])).collect();
            match *lines.as_slice() {
                [i, j] => format!("{file}, lines {i} and {j}, column {column}"),
                _ => format!("{file}, line {}, column {column}", lines[0]),
            }
        })
    }

    /// The built-in data set of that name (`figure1`, `figure2`), else the CSV file at that path.
    ///
    /// # Errors
    /// Those of [`Self::read_csv`].
    pub fn named_or_csv(name: &str) -> Result<Self> {
        match name {
            "figure1" => Ok(Self::figure1()),
            "figure2" => Ok(Self::figure2()),
            path => Self::read_csv(Path::new(path)),
        }
    }

    /// The data of the paper's Figure 1: x = −1, −0.2, 0, 0.2, 1 and y = (0, 0, 0.3, 0, 0) − 0.15.
    pub fn figure1() -> Self {
        Self {
            x: vec![-1.0, -0.2, 0.0, 0.2, 1.0],
            y: vec![-0.15, -0.15, 0.15, -0.15, -0.15],
            file_position: (0..5).collect(),
        }
    }

    /// The data of the paper's Figure 2: x = −1, 0.35, 0.65, 1 and y = 0.15, 0.15, −0.15, 0.15.
    pub fn figure2() -> Self {
        Self {
            x: vec![-1.0, 0.35, 0.65, 1.0],
            y: vec![0.15, 0.15, -0.15, 0.15],
            file_position: (0..4).collect(),
        }
    }

    /// The inputs x_1 < … < x_m.
    pub fn x(&self) -> &[f64] {
        &self.x
    }

    /// The values y_1 … y_m, in the order of [`Self::x`].
    pub fn y(&self) -> &[f64] {
        &self.y
    }

    /// The number m of points.
    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// Never true: a data set has a point.
    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }

    /// The same inputs, in the same file order, with values y (length m, ascending-x order).
    ///
    /// # Errors
    /// [`Error::Data`] where the length differs, a value is not finite or too large, or a slope
    /// overflows.
    pub fn with_values(&self, y: Vec<f64>) -> Result<Self> {
        if y.len() != self.len() {
            let what = format!("{} values for {} inputs", y.len(), self.len());
            return refuse("y", what, "give one value for every input");
        }
        let same = Self::from_points(&self.x, &y)?;
        Ok(Self {
            file_position: self.file_position.clone(),
            ..same
        })
    }

    /// The data (x_i, y_i + dy).
    ///
    /// # Errors
    /// Those of [`Self::with_values`].
    pub fn shifted(&self, dy: f64) -> Result<Self> {
        self.with_values(self.y.iter().map(|y| y + dy).collect())
    }

    /// One number a point, from ascending-x order to the order in which the points were given.
    ///
    /// `sorted` has length m.
    pub fn in_file_order(&self, sorted: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; sorted.len()];
        for (&position, &value) in self.file_position.iter().zip(sorted) {
            out[position] = value;
        }
        out
    }

    /// max |x_i|: sups over x are taken over 1.5 times this interval.
    pub fn largest_input(&self) -> f64 {
        largest(&self.x)
    }

    /// max |y_i|.
    pub fn largest_value(&self) -> f64 {
        largest(&self.y)
    }

    /// Checks the points and sorts them; `place` names a column at one or two of them.
    fn sorted(x: &[f64], y: &[f64], place: impl Fn(&str, &[usize]) -> String) -> Result<Self> {
        for (column, values) in [("x", x), ("y", y)] {
            let usable = |v: &f64| v.abs() <= f64::MAX / 4.0;
            if let Some(i) = values.iter().position(|v| !usable(v)) {
                let what = match values[i].is_finite() {
                    true => format!("{:e} is so large that differences overflow", values[i]),
                    false => format!("{} is not a finite number", values[i]),
                };
                return refuse(place(column, &[i]), what, "correct the point or remove it");
            }
        }
        let x: Vec<f64> = x.iter().map(|x| x + 0.0).collect(); // −0.0 + 0.0 = 0.0
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.sort_by(|&i, &j| x[i].total_cmp(&x[j]));
        for pair in order.windows(2) {
            let (i, j) = (pair[0], pair[1]);
            if x[i] == x[j] {
                let what = format!("two points with the same input x = {}", x[i]);
                let remedy = "keep one of them, or one point with the average of their values";
                return refuse(place("x", pair), what, remedy);
            }
            if !((y[j] - y[i]) / (x[j] - x[i])).is_finite() {
                let what = "the slope between these neighbours overflows";
                return refuse(
                    place("x", pair),
                    what,
                    "move the points apart or scale the data",
                );
            }
        }
        Ok(Self {
            x: order.iter().map(|&i| x[i]).collect(),
            y: order.iter().map(|&i| y[i]).collect(),
            file_position: order,
        })
    }
}

/// Accepts the header `x,y` and nothing else.
fn columns(header: &[&str], place: &str) -> Result<()> {
    let names = header.join(",").to_lowercase();
    let found = excerpt(&names);
    if names == "x,y" {
        Ok(())
    } else if let Some(extra) = names.strip_prefix("x,y,") {
        let what = format!("columns besides x and y: `{}`", excerpt(extra));
        refuse(place, what, "keep the columns x and y only")
    } else if header.len() == 1 {
        let remedy = "write two columns parted by a comma, under the header `x,y`";
        refuse(place, format!("one column, `{found}`"), remedy)
    } else if header.iter().all(|name| name.parse::<f64>().is_ok()) {
        let what = format!("`{found}` where the header should be");
        refuse(place, what, "write the line `x,y` above it")
    } else {
        let what = format!("the header is `{found}`");
        let remedy = match names.as_str() {
            "y,x" => "swap the columns, x comes first",
            _ => "make it `x,y`, inputs in the first column",
        };
        refuse(place, what, remedy)
    }
}

/// The start of a text from a file, on one line and short enough for a message.
fn excerpt(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let start: String = text.chars().take(40).map(plain).collect();
    let rest = if text.chars().nth(40).is_some() {
        "…"
    } else {
        ""
    };
    start + rest
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, v| largest.max(v.abs()))
}

fn refuse<T>(place: impl ToString, what: impl ToString, remedy: &str) -> Result<T> {
    let (place, what) = (place.to_string(), what.to_string());
    Err(Error::Data {
        place,
        what,
        remedy: remedy.into(),
    })
}
