//! Draws the chart of README.md: open the running kernel's BTF, then find ten
//! names, in every library.

use std::{env, fmt::Write, fs, path::Path};

use crate::{
    Entry, SYSFS,
    table::{self, Cells},
};

/// Colors of one of the two charts.
struct Theme {
    file: &'static str,
    text: &'static str,
    muted: &'static str,
    ours: &'static str,
    others: &'static str,
}

const THEMES: [Theme; 2] = [
    Theme { file: "light.svg", text: "#1f2328", muted: "#59636e", ours: "#0969da", others: "#afb8c1" },
    Theme { file: "dark.svg", text: "#f0f6fc", muted: "#9198a1", ours: "#4493f8", others: "#656c76" },
];

/// Bar of the chart.
struct Bar {
    name: &'static str,
    milliseconds: f64,
    megabytes: f64,
}

/// Measures all libraries, and writes a chart for light and one for dark pages
/// into `folder`.
pub fn draw(folder: &Path, peers: &[Entry]) {
    let columns = table::columns(Path::new(SYSFS), None, peers, &env::temp_dir());
    let mut bars: Vec<Bar> = columns.into_iter().filter_map(|(name, cells)| bar(name, &cells)).collect();
    bars.sort_by(|left, right| left.milliseconds.total_cmp(&right.milliseconds));
    fs::create_dir_all(folder).expect("the folder can be made");
    for theme in THEMES {
        fs::write(folder.join(theme.file), svg(&bars, &theme)).expect("the folder can be written to");
    }
    for Bar { name, milliseconds, megabytes } in bars {
        println!("{name}: {milliseconds:.1} ms, {megabytes:.1} MB");
    }
}

fn bar(name: &'static str, cells: &Cells) -> Option<Bar> {
    let value = |key: &str| cells.get(key).map(|&(value, _)| value as f64);
    let name = match name {
        // The floor is only a loop, not a usable library.
        "floor" => return None,
        "btf-types" => "this workspace",
        name => name,
    };
    Some(Bar { name, milliseconds: value("ten")? / 1e9, megabytes: value("resident_index")? / 1e6 })
}

fn svg(bars: &[Bar], theme: &Theme) -> String {
    const LEFT: f64 = 130.0;
    const WIDTH: f64 = 460.0;
    const ROW: f64 = 28.0;
    const TOP: f64 = 58.0;
    let Theme { text, muted, ours, others, .. } = theme;
    let longest = bars.iter().map(|bar| bar.milliseconds).fold(0.0, f64::max);
    let height = TOP + ROW * bars.len() as f64 + 6.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"{height}\" viewBox=\"0 0 720 {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" role=\"img\" aria-labelledby=\"title\">\n\
         <title id=\"title\">Time to open the kernel's BTF and find ten types, by library</title>\n\
         <text x=\"0\" y=\"18\" font-size=\"15\" font-weight=\"600\" fill=\"{text}\">Open the kernel's BTF, then find ten types</text>\n\
         <text x=\"0\" y=\"38\" fill=\"{muted}\">Milliseconds in a fresh process, and memory held afterwards; less is better</text>\n"
    );
    for (row, bar) in bars.iter().enumerate() {
        let is_ours = bar.name == "this workspace";
        let (color, weight) = if is_ours { (ours, 600) } else { (others, 400) };
        let y = TOP + ROW * row as f64;
        let width = (WIDTH * bar.milliseconds / longest).max(1.0);
        let (baseline, label) = (y + 15.0, LEFT + width + 8.0);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{baseline}\" text-anchor=\"end\" font-weight=\"{weight}\" fill=\"{text}\">{}</text>\n\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"20\" rx=\"2\" fill=\"{color}\"/>\n\
             <text x=\"{label:.1}\" y=\"{baseline}\" font-weight=\"{weight}\" fill=\"{text}\">{:.1} ms, {:.1} MB</text>",
            LEFT - 10.0,
            bar.name,
            bar.milliseconds,
            bar.megabytes,
        );
    }
    svg.push_str("</svg>\n");
    svg
}
