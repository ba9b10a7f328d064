//! The rooms in figures.

use crate::Workspace;
use crate::source::{Folder, SourceFile};
use crate::workspace::{Dependency, Kind, Room};
use std::fmt::Write;

/// A line for each room, from the top floor down: files and lines of the product and of tests, its longest file and
/// function, and what it uses.
pub fn table(workspace: &Workspace, plan: &super::Plan) -> String {
    let mut rows = vec![
        [
            "floor",
            "room",
            "files",
            "lines",
            "tests",
            "longest file",
            "longest function",
            "uses",
            "tests and features use",
        ]
        .map(str::to_owned),
    ];
    let mut rooms: Vec<(u8, &Room)> = workspace
        .rooms
        .iter()
        .map(|room| (plan.rooms.get(&room.name).map_or(0, |planned| planned.floor), room))
        .collect();
    rooms.sort_by(|(one, a), (other, b)| other.cmp(one).then(a.name.cmp(&b.name)));
    for (floor, room) in rooms {
        let of = |folder: Folder| room.files.iter().filter(move |file| file.folder == folder);
        let lines = |folder| of(folder).map(|file| file.lines).sum::<usize>().to_string();
        rows.push([
            floor.to_string(),
            room.name.clone(),
            of(Folder::Product).count().to_string(),
            lines(Folder::Product),
            lines(Folder::Test),
            longest_file(room),
            longest_function(room),
            used(workspace, room, |by| by.kind != Kind::Dev && !by.optional),
            used(workspace, room, |by| by.kind == Kind::Dev || by.optional),
        ]);
    }
    aligned(&rows)
}

fn product(room: &Room) -> impl Iterator<Item = &SourceFile> {
    room.files.iter().filter(|file| file.folder == Folder::Product)
}

fn longest_file(room: &Room) -> String {
    let longest = product(room).max_by_key(|file| file.lines);
    longest.map_or(String::new(), |file| format!("{} {}", file.lines, inside(room, file)))
}

fn longest_function(room: &Room) -> String {
    let functions =
        product(room).flat_map(|file| file.product.functions.iter().map(move |found| (file, found)));
    let longest = functions.max_by_key(|(_, found)| found.lines());
    longest.map_or(String::new(), |(file, found)| {
        format!("{} {} in {}", found.lines(), found.name, inside(room, file))
    })
}

/// The path inside the room's `src`.
fn inside<'a>(room: &Room, file: &'a SourceFile) -> &'a str {
    let path = file.path.strip_prefix(room.folder.as_str()).unwrap_or(&file.path);
    let path = path.trim_start_matches('/');
    path.strip_prefix("src/").unwrap_or(path)
}

fn used(workspace: &Workspace, room: &Room, wanted: impl Fn(&Dependency) -> bool) -> String {
    let dependencies = room.dependencies.iter().filter(|dependency| wanted(dependency));
    let mut names: Vec<&str> = dependencies
        .filter_map(|dependency| workspace.room_of_package(&dependency.package))
        .map(|room| room.name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "-".to_owned() } else { names.join(" ") }
}

fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let is_figure = !cell.is_empty() && cell.chars().all(|sign| sign.is_ascii_digit());
            let _ =
                if is_figure { write!(line, "{cell:>width$}  ") } else { write!(line, "{cell:<width$}  ") };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
