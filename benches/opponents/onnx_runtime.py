"""ONNX Runtime: vectors of texts with the same weights, exported by PyTorch."""

import os

import numpy as np
from serve import Sentences, serve


class Texts(Sentences):
    """Unit vectors of texts: the mean of the last states."""

    def __init__(self, asked):
        import onnxruntime as ort

        settings = ort.SessionOptions()
        settings.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        settings.inter_op_num_threads = 1
        settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        # the other side computes between the turns of this one
        settings.add_session_config_entry("session.force_spinning_stop", "1")
        self.session = ort.InferenceSession(
            asked["exported"], settings, providers=["CPUExecutionProvider"]
        )
        self.open_texts(asked)
        self.about = f"ONNX Runtime {ort.__version__}"

    def embed(self, texts):
        read = self.tokenizer.encode_batch(texts)
        ids = np.array([one.ids for one in read], np.int64)
        mask = np.array([one.attention_mask for one in read], np.int64)
        (states,) = self.session.run(None, {"input_ids": ids, "attention_mask": mask})
        kept = mask[..., None].astype(np.float32)
        found = (states * kept).sum(1) / kept.sum(1)
        return found / np.linalg.norm(found, axis=-1, keepdims=True)


if __name__ == "__main__":
    serve(Texts)
