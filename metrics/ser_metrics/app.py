"""The Space of ser_metrics: fill in references and predictions, read the scores.

`evaluate.utils.launch_gradio_widget` needs `gradio.inputs`, which gradio 4 removed, so the few lines are here.
"""

import evaluate
import gradio

import emobox_hf  # noqa: F401  makes emobox/ser_metrics loadable

ser_metrics = evaluate.load("emobox/ser_metrics")


def score(rows):
    """The metric's results for a table of [reference, prediction] class names; empty rows are left out."""
    filled = [row for row in rows if any(row)]
    references, predictions = [[row[column] or None for row in filled] for column in (0, 1)]
    try:
        return ser_metrics.compute(references=references, predictions=predictions)
    except ValueError as error:
        raise gradio.Error(str(error)) from error


demo = gradio.Interface(
    fn=score,
    inputs=gradio.Dataframe(headers=["references", "predictions"], datatype="str", type="array", row_count=3),
    outputs=gradio.JSON(label="ser_metrics"),
    title="Metric: ser_metrics",
    description=ser_metrics.description,
    examples=[[[["angry", "angry"], ["angry", "sad"], ["sad", "sad"]]]],
)

if __name__ == "__main__":
    demo.launch()
