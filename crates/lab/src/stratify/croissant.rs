//! Croissant metadata (MLCommons, 1.0) beside the sample: what is in the file, where it comes from.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Report;

/// What describes the sample: `OUT.croissant.json` beside it.
pub fn described(output: &Path) -> PathBuf {
    output.with_extension("croissant.json")
}

/// Writes what describes the sample.
pub(super) fn write(output: &Path, report: &Report) -> anyhow::Result<()> {
    let name = output.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut file = std::fs::File::open(output)?;
    let read = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
    let field = |field: &std::sync::Arc<arrow_schema::Field>| {
        json!({
            "@type": "cr:Field",
            "@id": format!("rows/{}", field.name()),
            "name": field.name(),
            "dataType": data_type(field.data_type()),
            "source": { "fileObject": { "@id": name }, "extract": { "column": field.name() } },
        })
    };
    let fields: Vec<Value> = read.schema().fields().iter().map(field).collect();
    let document = json!({
        "@context": {
            "@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/",
            "cr": "http://mlcommons.org/croissant/", "dct": "http://purl.org/dc/terms/",
            "conformsTo": "dct:conformsTo", "field": "cr:field", "recordSet": "cr:recordSet", "source": "cr:source",
            "extract": "cr:extract", "column": "cr:column", "fileObject": "cr:fileObject",
            "dataType": { "@id": "cr:dataType", "@type": "@vocab" },
        },
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": output.file_stem().unwrap_or_default().to_string_lossy(),
        "description": format!("A stratified sample of {} of {} rows.", report.rows_out, report.rows_in),
        "isBasedOn": report.lineage.inputs.iter().map(|input| input.path.clone()).collect::<Vec<_>>(),
        "creator": { "@type": "SoftwareApplication", "name": report.lineage.program },
        "nearline:lineage": report.lineage,
        "nearline:outcome": report.outcome,
        "distribution": [{
            "@type": "cr:FileObject", "@id": name, "name": name, "contentUrl": name,
            "encodingFormat": "application/vnd.apache.parquet", "sha256": digest(&mut file)?,
        }],
        "recordSet": [{ "@type": "cr:RecordSet", "@id": "rows", "name": "rows", "field": fields }],
    });
    let path = described(output);
    std::fs::write(&path, format!("{document:#}\n"))
        .with_context(|| format!("{} cannot be written", path.display()))
}

fn digest(file: &mut std::fs::File) -> anyhow::Result<String> {
    use std::io::Seek;
    file.rewind()?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hash.update(&buffer[..read]);
    }
}

fn data_type(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "sc:Boolean",
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "sc:Float",
        DataType::Date32 | DataType::Date64 => "sc:Date",
        DataType::Timestamp(_, _) => "sc:DateTime",
        other if other.is_integer() => "sc:Integer",
        _ => "sc:Text",
    }
}
