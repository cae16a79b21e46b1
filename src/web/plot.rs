//! Plots as SVG in the page. Their colours are classes of the page's style, so they follow light and dark.

use std::io;

use maud::{Markup, PreEscaped, html};
use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::item::prose::shorten;
use crate::post::numbers::number;
use crate::story::numbers::Quartiles;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

/// The size of a plot in its own units; the page scales it.
const WIDE: u32 = 560;
const HIGH: u32 = 250;
/// The height of a row of a plot with names, and of its margins.
const ROW_HIGH: u32 = 24;
const ROWS_MARGIN: u32 = 16;
/// The most characters of a name beside its bar.
const NAME_CHARS_MAX: usize = 26;
const FONT: (&str, i32) = ("sans-serif", 16);

/// Placeholders, which `classes` replaces by classes.
const INK: RGBColor = RGBColor(1, 1, 1);
const LINE: RGBColor = RGBColor(2, 2, 2);
const FIRST: RGBColor = RGBColor(3, 3, 3);
const SECOND: RGBColor = RGBColor(4, 4, 4);
const CLASSES: [(&str, &str); 4] = [
    ("#010101", "plot-ink"),
    ("#020202", "plot-line"),
    ("#030303", "plot-first"),
    ("#040404", "plot-second"),
];

/// A plot with its words.
pub(super) struct Plot {
    /// The prefix of ids in the page.
    pub(super) id: &'static str,
    pub(super) title: String,
    /// What it shows, in a sentence with its main numbers: for people who cannot see it.
    pub(super) about: String,
    pub(super) shape: PlotShape,
    /// The heads and rows of the table with its numbers.
    pub(super) heads: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

pub(super) enum PlotShape {
    /// Two bars for each label, and what each of the two is.
    Pairs {
        names: [&'static str; 2],
        bars: Vec<(String, [f64; 2])>,
    },
    /// The middle half of each label as a bar, with its median.
    Bands(Vec<(String, Option<Quartiles>)>),
    /// A bar to the right for each name.
    Rows(Vec<(String, f64)>),
}

impl Plot {
    /// The plot in a page: picture, key, and its numbers as a table.
    pub(super) fn figure(&self) -> anyhow::Result<Markup> {
        let svg = PreEscaped(self.svg()?);
        Ok(html! {
            figure.plot {
                figcaption { strong { (self.title) } " " span.about { (self.about) } }
                // On a narrow screen, it is moved sideways instead of shrunk: its words stay readable.
                div.plot-area tabindex="0" role="group" aria-label=(self.title) { (svg) }
                (self.key())
                details {
                    summary { "The numbers of this plot" }
                    (table(&self.heads, &self.rows))
                }
            }
        })
    }

    fn key(&self) -> Markup {
        html! {
            @match &self.shape {
                PlotShape::Pairs { names: [first, second], .. } => {
                    p.plot-key { span.plot-swatch-first {} " " (first) " " span.plot-swatch-second {} " " (second) }
                }
                PlotShape::Bands(_) => {
                    p.plot-key { span.plot-swatch-first {} " the middle half " span.plot-swatch-second {} " the median" }
                }
                PlotShape::Rows(_) => {}
            }
        }
    }

    fn svg(&self) -> anyhow::Result<String> {
        let high = match &self.shape {
            PlotShape::Rows(rows) => {
                u32::try_from(rows.len()).unwrap_or(1) * ROW_HIGH + 2 * ROWS_MARGIN
            }
            PlotShape::Pairs { .. } | PlotShape::Bands(_) => HIGH,
        };
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, (WIDE, high)).into_drawing_area();
        let drawn = match &self.shape {
            PlotShape::Pairs { bars, .. } => pairs(&area, bars),
            PlotShape::Bands(bands) => quartiles(&area, bands),
            PlotShape::Rows(rows) => rows_of(&area, rows),
        };
        drawn
            .and_then(|()| area.present())
            .map_err(|error| anyhow::anyhow!("drawing {}: {error}", self.id))?;
        drop(area);
        Ok(self.with_words(&svg))
    }

    /// Adds title and description, takes the fixed size out, and replaces colours by classes.
    fn with_words(&self, svg: &str) -> String {
        let mut svg = svg.to_owned();
        for (colour, class) in CLASSES {
            svg = svg.replace(&format!("fill=\"{colour}\""), &format!("class=\"{class}\""));
            let stroke = format!("class=\"{class}-stroke\" fill=\"none\"");
            // A path says already that it has no filling.
            svg = svg.replace(
                &format!("fill=\"none\" opacity=\"1\" stroke=\"{colour}\""),
                &stroke,
            );
            svg = svg.replace(&format!("stroke=\"{colour}\""), &stroke);
        }
        let id = self.id;
        let words = html! { title id=(format!("{id}-title")) { (self.title) } desc id=(format!("{id}-about")) { (self.about) } };
        let (root, rest) = svg.split_once('>').unwrap_or(("<svg", ""));
        let (_, view) = root.split_once("viewBox=").unwrap_or(("", "\"\""));
        format!(
            "<svg role=\"img\" aria-labelledby=\"{id}-title\" aria-describedby=\"{id}-about\" viewBox={view}>{}{rest}",
            words.into_string()
        )
    }
}

/// A table of numbers, whose first column names the rows.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="Table" {
            table {
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (place, cell) in row.iter().enumerate() {
                                @if place == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn words(h_pos: HPos, v_pos: VPos) -> TextStyle<'static> {
    let style = TextStyle::from(FONT.into_font()).color(&INK);
    style.pos(Pos::new(h_pos, v_pos))
}

/// The end of an axis that holds the largest value: a round number, at least four.
fn round_end(most: f64) -> f64 {
    let mut step = 1.0;
    while most > step * 10.0 && step < 1e12 {
        step *= 10.0;
    }
    let ends = [4.0, 6.0, 8.0, 10.0].map(|end| end * step);
    let fits = ends.into_iter().find(|end| *end >= most);
    fits.unwrap_or(most)
}

/// Draws the axis on the left with its lines, and labels below; then `draw` draws over them.
fn with_axes(
    area: &Area<'_>,
    labels: &[&str],
    most: f64,
    draw: impl FnOnce(&dyn Fn((f64, f64), (f64, f64), RGBColor) -> Drawn) -> Drawn,
) -> Drawn {
    let end = round_end(most);
    let many = f64::from(u32::try_from(labels.len()).unwrap_or(1));
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .set_label_area_size(LabelAreaPosition::Left, 40)
        .set_label_area_size(LabelAreaPosition::Bottom, 26)
        .build_cartesian_2d(0.0..many, 0.0..end)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .y_labels(5)
        .y_max_light_lines(0)
        .bold_line_style(LINE)
        .axis_style(LINE)
        .y_label_style(words(HPos::Right, VPos::Center))
        .y_label_formatter(&|y: &f64| format!("{y}"))
        .draw()?;
    let below = words(HPos::Center, VPos::Top);
    for (place, label) in labels.iter().enumerate() {
        let middle = f64::from(u32::try_from(place).unwrap_or(0)) + 0.5;
        let label = Text::new((*label).to_owned(), (0, 6), below.clone());
        chart
            .plotting_area()
            .draw(&(EmptyElement::at((middle, 0.0)) + label))?;
    }
    let plotting = chart.plotting_area();
    draw(&|from, to, colour| plotting.draw(&Rectangle::new([from, to], colour.filled())))
}

fn pairs(area: &Area<'_>, bars: &[(String, [f64; 2])]) -> Drawn {
    let labels: Vec<&str> = bars.iter().map(|(label, _)| label.as_str()).collect();
    let most = bars.iter().flat_map(|(_, pair)| *pair).fold(0.0, f64::max);
    with_axes(area, &labels, most, |draw| {
        for (place, (_, [first, second])) in bars.iter().enumerate() {
            let left = f64::from(u32::try_from(place).unwrap_or(0));
            draw((left + 0.12, *first), (left + 0.48, 0.0), FIRST)?;
            draw((left + 0.52, *second), (left + 0.88, 0.0), SECOND)?;
        }
        Ok(())
    })
}

fn quartiles(area: &Area<'_>, bands: &[(String, Option<Quartiles>)]) -> Drawn {
    let labels: Vec<&str> = bands.iter().map(|(label, _)| label.as_str()).collect();
    let most = bands
        .iter()
        .filter_map(|(_, band)| band.map(|band| band.upper));
    let most = most.fold(0.0, f64::max);
    // The median is a line of this height.
    let line = round_end(most) / 60.0;
    with_axes(area, &labels, most, |draw| {
        for (place, (_, band)) in bands.iter().enumerate() {
            let Some(band) = band else { continue };
            let left = f64::from(u32::try_from(place).unwrap_or(0));
            draw((left + 0.25, band.upper), (left + 0.75, band.lower), FIRST)?;
            let low = (band.median - line / 2.0).max(0.0);
            draw((left + 0.12, low + line), (left + 0.88, low), SECOND)?;
        }
        Ok(())
    })
}

fn rows_of(area: &Area<'_>, rows: &[(String, f64)]) -> Drawn {
    let most = rows.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    let many = f64::from(u32::try_from(rows.len()).unwrap_or(1).max(1));
    let chart = ChartBuilder::on(area)
        .margin_top(ROWS_MARGIN)
        .margin_bottom(ROWS_MARGIN)
        .margin_right(60)
        .set_label_area_size(LabelAreaPosition::Left, 210)
        .build_cartesian_2d(0.0..most, many..0.0)?;
    let plotting = chart.plotting_area();
    for (place, (name, value)) in rows.iter().enumerate() {
        let top = f64::from(u32::try_from(place).unwrap_or(0));
        let bar = [(0.0, top + 0.15), (*value, top + 0.85)];
        plotting.draw(&Rectangle::new(bar, FIRST.filled()))?;
        let name = Text::new(
            shorten(name, NAME_CHARS_MAX),
            (-8, 0),
            words(HPos::Right, VPos::Center),
        );
        plotting.draw(&(EmptyElement::at((0.0, top + 0.5)) + name))?;
        let number = Text::new(number(*value), (6, 0), words(HPos::Left, VPos::Center));
        plotting.draw(&(EmptyElement::at((*value, top + 0.5)) + number))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(shape: PlotShape) -> String {
        let plot = Plot {
            id: "p",
            title: "A <b> & c".to_owned(),
            about: "\"quoted\"".to_owned(),
            shape,
            heads: vec!["Month", "Series"],
            rows: vec![vec!["<i>".to_owned(), "2".to_owned()]],
        };
        plot.figure().expect("a picture").into_string()
    }

    /// The rectangles of a class: x, y, width, height.
    fn bars(html: &str, class: &str) -> Vec<[i32; 4]> {
        let page = scraper::Html::parse_fragment(html);
        let selector = scraper::Selector::parse(&format!("rect.{class}")).expect("a selector");
        let found = page.select(&selector).map(|rect| {
            ["x", "y", "width", "height"].map(|name| {
                rect.attr(name)
                    .and_then(|n| n.parse().ok())
                    .expect("a number")
            })
        });
        found.collect()
    }

    #[test]
    fn bars_are_as_high_as_their_numbers_and_colours_are_classes() {
        let shape = PlotShape::Pairs {
            names: ["one", "two"],
            bars: vec![
                ("Jan".to_owned(), [10.0, 5.0]),
                ("Feb".to_owned(), [0.0, 2.5]),
            ],
        };
        let html = plot(shape);
        let (first, second) = (bars(&html, "plot-first"), bars(&html, "plot-second"));
        assert_eq!((first.len(), second.len()), (2, 2), "{html}");
        let high = first[0][3];
        assert!(high > 150 && (second[0][3] - high / 2).abs() <= 1, "{html}");
        assert!((second[1][3] - high / 4).abs() <= 1 && first[1][3] == 0);
        // All stand on one line, and the months are side by side.
        assert_eq!(first[0][1] + first[0][3], second[1][1] + second[1][3]);
        assert!(first[0][0] < second[0][0] && second[0][0] < first[1][0]);
        assert!(!html.contains("#0"), "{html}");
        assert!(html.contains("A &lt;b&gt; &amp; c") && !html.contains("<i>"));
        assert!(!html.contains("style=") && !html.contains("<svg width"));
    }

    #[test]
    fn a_name_in_a_picture_is_text() {
        let evil = "</text><script>x</script> class=\"a\"".to_owned();
        let html = plot(PlotShape::Rows(vec![(evil, 3.0), ("Ann".to_owned(), 1.5)]));
        assert!(!html.contains("<script"), "{html}");
        let bars = bars(&html, "plot-first");
        assert!((bars[0][2] - 2 * bars[1][2]).abs() <= 1 && bars[0][1] < bars[1][1]);
        assert!(html.contains("1.5"), "{html}");
    }

    #[test]
    fn a_band_is_the_middle_half_and_may_be_missing() {
        let band = Quartiles {
            of: 9,
            lower: 2.0,
            median: 4.0,
            upper: 10.0,
        };
        let html = plot(PlotShape::Bands(vec![
            ("Jan".to_owned(), Some(band)),
            ("Feb".to_owned(), None),
        ]));
        let (first, second) = (bars(&html, "plot-first"), bars(&html, "plot-second"));
        assert_eq!((first.len(), second.len()), (1, 1), "{html}");
        let [_, top, _, high] = first[0];
        let median = second[0][1] + second[0][3] / 2;
        assert!((median - (top + high * 6 / 8)).abs() <= 2, "{html}");
    }

    #[test]
    fn an_axis_ends_at_a_round_number() {
        for (most, end) in [
            (0.0, 4.0),
            (4.0, 4.0),
            (5.0, 6.0),
            (9.5, 10.0),
            (11.0, 40.0),
            (99.0, 100.0),
            (730.0, 800.0),
        ] {
            assert_eq!(round_end(most), end, "{most}");
        }
    }
}
