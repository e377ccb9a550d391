"""The four steps of training, each a stage: `examples` → `train_gbm` and `train_neural`, in any order → `package`.

Comes in: data and features. Goes out: the model package. What the steps leave each other lies in the work folder's
`training/`, in formats that cannot execute code; each step writes one folder there, whole or not at all:

    examples/   *.npy                  what the rankers learn from (`training.example_files`)
                side/                  the product side at the cutoff (`training.product_side`)
                examples.json          the rest: cutoff, data, counts, and a digest of all files
    gbm/        trees.txt              the trees, LightGBM text
                gbm.json               how good they are; the digest of the examples they grew on
    neural/     *.npy                  the network's arrays
                neural.json            the digest of the examples it learned from

Whether a candidate was hidden, which is all that the rankers are to tell, lies in files of its own:
`learn_label.npy` and `held_back_label.npy`, int8[rows]. Other labels of the same shape may be put there, and the later
steps run again, to see what becomes of a model that learned from them.

Called by `pipelines` through its stage table.
"""
