//! Python bindings: tables come in through Arrow's PyCapsule interface, row numbers go out.

mod frame;

use frame::Frame;
use nearline_stratify::{Census, Outcome, Plan, Rules, report};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3_arrow::PyTable;
use sha2::{Digest, Sha256};

/// A solved plan. Nothing is selected until `apply`.
#[pyclass(name = "NativePlan", frozen)]
struct NativePlan {
    rules: Rules,
    plan: Plan,
    /// What it was made for.
    census: Census,
    rows_in: u64,
}

fn wrong(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn rules_of(text: &str, is_json: bool) -> PyResult<Rules> {
    if !is_json {
        return Rules::from_toml(text).map_err(wrong);
    }
    let rules: Rules = serde_json::from_str(text).map_err(wrong)?;
    rules.validate().map_err(wrong)?;
    Ok(rules)
}

/// Counts a table's strata and solves the rules.
#[pyfunction]
fn plan(py: Python<'_>, table: PyTable, rules: &str, is_json: bool) -> PyResult<NativePlan> {
    let rules = rules_of(rules, is_json)?;
    let (batches, _) = table.into_inner();
    py.detach(|| {
        let frame = Frame::new(&rules, &batches)?;
        let census = frame.census(&rules);
        let plan = Plan::new(&rules, &census).map_err(|error| error.to_string())?;
        Ok(NativePlan { rows_in: frame.rows() as u64, rules, plan, census })
    })
    .map_err(|error: String| wrong(error))
}

fn bytes<'py>(py: Python<'py>, rows: &[u64]) -> Bound<'py, PyBytes> {
    let bytes: Vec<u8> = rows.iter().flat_map(|row| row.to_ne_bytes()).collect();
    PyBytes::new(py, &bytes)
}

impl NativePlan {
    fn selected(&self, frame: &Frame) -> Result<Vec<u64>, String> {
        if self.plan.outcome == Outcome::Refused {
            let why: Vec<String> = self
                .plan
                .conflicts
                .iter()
                .map(|c| format!("{}: {}", c.rules.join(" and "), c.detail))
                .collect();
            return Err(format!("hard rules conflict, nothing is selected: {}", why.join("; ")));
        }
        if frame.census(&self.rules) != self.census {
            return Err("the plan was made for other rows: their strata, or how many rows they have, differ"
                .to_owned());
        }
        frame.select(&self.rules, &self.plan)
    }
}

#[pymethods]
impl NativePlan {
    /// The numbers of the rows to take, as native-endian 64-bit integers.
    fn indices<'py>(&self, py: Python<'py>, table: PyTable) -> PyResult<Bound<'py, PyBytes>> {
        let (batches, _) = table.into_inner();
        let rows = py
            .detach(|| self.selected(&Frame::new(&self.rules, &batches)?))
            .map_err(PyRuntimeError::new_err)?;
        Ok(bytes(py, &rows))
    }

    /// Per part its name and the numbers of its rows.
    fn parts<'py>(&self, py: Python<'py>, table: PyTable) -> PyResult<Vec<(String, Bound<'py, PyBytes>)>> {
        let (batches, _) = table.into_inner();
        let parts = py
            .detach(|| {
                let frame = Frame::new(&self.rules, &batches)?;
                let rows = self.selected(&frame)?;
                frame.split(&self.rules, &self.plan, &rows)
            })
            .map_err(PyRuntimeError::new_err)?;
        Ok(parts.into_iter().map(|(name, rows)| (name, bytes(py, &rows))).collect())
    }

    /// The weight of every row given by number.
    fn weights(&self, py: Python<'_>, table: PyTable) -> PyResult<Vec<f64>> {
        let (batches, _) = table.into_inner();
        py.detach(|| {
            let frame = Frame::new(&self.rules, &batches)?;
            let rows = self.selected(&frame)?;
            frame.weights(&self.rules, &self.plan, &rows)
        })
        .map_err(|error: String| PyRuntimeError::new_err(error))
    }

    /// The plan as JSON.
    fn to_json(&self) -> PyResult<String> {
        serde_json::to_string(&self.plan).map_err(wrong)
    }

    /// SHA-256 over rules and strata: equal digests are equal samples of equal rows.
    fn digest(&self) -> PyResult<String> {
        let mut hash = Sha256::new();
        hash.update(self.rules.to_toml().map_err(wrong)?);
        hash.update(self.to_json()?);
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The rules as TOML.
    fn rules_toml(&self) -> PyResult<String> {
        self.rules.to_toml().map_err(wrong)
    }

    /// The plan in words.
    fn text(&self) -> String {
        report::text(&self.plan)
    }

    /// The plan as a fragment of HTML.
    fn html(&self) -> String {
        let facts = [
            ("rows in", self.rows_in.to_string()),
            ("rows to take", self.plan.size.to_string()),
            ("seed", self.rules.seed.to_string()),
        ];
        report::fragment(&self.plan, &facts)
    }
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<NativePlan>()?;
    module.add_function(wrap_pyfunction!(plan, module)?)
}
