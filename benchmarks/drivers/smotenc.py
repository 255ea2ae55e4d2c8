"""SMOTENC as a synthesizer: every class is asked for twice its rows, and the new ones are kept.

A target with more than 20 values is a column like any other, and the classes are its two halves. Nothing is learned
before rows are asked for, so the fit takes no time. Missing numbers are the median, new ones have train's decimals.
"""

from typing import Any

from common import Job, Sample, decimals, drive, rounded, without_gaps
from imblearn.over_sampling import SMOTE, SMOTENC

CLASSES = 20
NEIGHBOURS = 5


def fit(frame: Any, job: Job) -> tuple[Sample, dict[str, Any]]:
    grid = decimals(frame, job)
    frame = without_gaps(frame, job)
    values = frame[job.target]
    classed = values.nunique() <= CLASSES
    label = values.astype(str) if classed else (values > values.median()).astype(str)
    features = frame.drop(columns=job.target) if classed else frame
    nominal = [c for c in features.columns if c not in job.numbers]

    def sample(n: int) -> Any:
        counts = label.value_counts()
        neighbours = max(1, min(NEIGHBOURS, int(counts.min()) - 1))
        options = {"sampling_strategy": (2 * counts).to_dict(), "k_neighbors": neighbours, "random_state": job.seed}
        maker = SMOTENC(nominal, **options) if nominal else SMOTE(**options)
        made, classes = maker.fit_resample(features, label)
        made, classes = made.iloc[len(frame) :], classes.iloc[len(frame) :]
        if classed:
            made = made.assign(**{job.target: classes.astype(float) if job.target in job.numbers else classes})
        return rounded(made.head(n).copy(), grid)

    return sample, {}


if __name__ == "__main__":
    drive(fit)
