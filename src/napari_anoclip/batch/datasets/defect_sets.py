"""Data sets for segmentation of defects: one material, or DAGM's ten textures."""

from __future__ import annotations

from napari_anoclip.batch.datasets.dagm import Ellipses, LabelPictures
from napari_anoclip.batch.datasets.layouts import FirstOf, Pairs
from napari_anoclip.batch.datasets.masks import LABELME, MATLAB
from napari_anoclip.batch.datasets.model import DataSet
from napari_anoclip.batch.datasets.nouns import objects, textures

KSDD2 = DataSet(
    key="ksdd2",
    title="KolektorSDD2",
    layout=Pairs(category="ksdd2", pictures="test", truth="test", ending="_GT"),
    tree="""\
test/
    20000.png
    20000_GT.png""",
    licence="CC BY-NC-SA 4.0",
    citation="Božič, Tabernik, Skočaj: Mixed supervision for surface-defect detection, from weakly to fully "
    "supervised learning. Computers in Industry 2021",
    page="https://www.vicos.si/resources/kolektorsdd2/",
    checked="two public loaders that read NAME.png with NAME_GT.png",
    nouns=textures(ksdd2="surface"),
    note="A picture is defective if its mask is not black: all masks are read when the folder is opened.",
)

DAGM = DataSet(
    key="dagm",
    title="DAGM 2007",
    layout=FirstOf((LabelPictures(), Ellipses())),
    tree="""\
Class1/
    Test/0001.PNG
    Test/Label/0001_label.PNG
    Test/Label/Labels.txt
Class2/""",
    licence="not stated for all copies; read the page",
    citation="Wieler, Hahn: Weakly supervised learning for industrial optical inspection. DAGM symposium 2007",
    page="https://zenodo.org/records/12750201",
    checked="NVIDIA's preprocess_dagm2007.py and AnomalyCLIP's loader (DAGM.py)",
    nouns=textures(**{f"Class{number}": "surface" for number in range(1, 11)}),
    note="The masks are rough ellipses. The development data with Class1_def/labels.txt are read too, all of them, as "
    "they have no split; in which direction their angles turn could not be checked.",
)

BSDATA = DataSet(
    key="bsdata",
    title="BSData",
    layout=Pairs(
        category="bsdata",
        pictures="data",
        truth="label",
        suffixes=(LABELME,),
        without_truth="good",
        defect="pitting",
        split=("image_data.json", "images", "filename", "train_test_split"),
    ),
    tree="""\
data/01_200902053521_585000_090_crop_2.jpg
label/01_200902053521_585000_090_crop_2.json
image_data.json""",
    licence="CC BY-SA 4.0",
    citation="Schlagenhauf, Landwehr, Fleischer: Industrial machine tool element surface defect dataset. "
    "arXiv 2103.13003",
    page="https://github.com/2Obe/BSData",
    checked="the data set's own files and split_dataset.py (2Obe/BSData)",
    nouns=objects(bsdata="ball screw drive"),
    note="Polygons drawn in labelme; a pixel is defective if its centre is inside. The test split is that of "
    "image_data.json; without this file all pictures count.",
)

MAGNETIC_TILE = DataSet(
    key="magnetic-tile",
    title="Magnetic tile defects",
    layout=Pairs(
        category="magnetic_tile",
        pictures="MT_*/Imgs",
        truth="MT_*/Imgs",
        picture_suffixes=(".jpg", ".jpeg"),
        label="kind",
        good="Free",
    ),
    tree="""\
MT_Blowhole/Imgs/exp1_num_3667.jpg
MT_Blowhole/Imgs/exp1_num_3667.png
MT_Free/Imgs/exp1_num_10.jpg""",
    licence="none stated: ask its authors",
    citation="Huang, Qiu, Yuan: Surface defect saliency of magnetic tile. The Visual Computer 2020",
    page="https://github.com/abin24/Magnetic-tile-defect-datasets.",
    checked="several public loaders (folders MT_*/Imgs with JPG pictures and PNG masks of the same name)",
    nouns=textures(magnetic_tile="magnetic tile"),
    note="There is no split: all pictures count.",
)

CRACK_FOREST = DataSet(
    key="crackforest",
    title="CrackForest (CFD)",
    layout=Pairs(
        category="crackforest",
        pictures="image",
        truth="groundTruth",
        suffixes=(MATLAB,),
        label="always",
        defect="crack",
    ),
    tree="""\
image/001.jpg
groundTruth/001.mat""",
    licence="non-commercial research only",
    citation="Shi, Cui, Qi, Meng, Chen: Automatic road crack detection using random structured forests. "
    "IEEE Transactions on Intelligent Transportation Systems 2016",
    page="https://github.com/cuilimeng/CrackForest-dataset",
    checked="public loaders that read groundTruth.Segmentation, where 2 is crack and 1, 3 and 4 are road",
    nouns=textures(crackforest="road surface"),
    note="There is no split and no picture without a crack: figures of whole pictures cannot be had.",
)

NEU_SEG = DataSet(
    key="neu-seg",
    title="NEU-Seg",
    layout=Pairs(category="neu_seg", pictures="images/test", truth="annotations/test"),
    tree="""\
images/test/000601.jpg
annotations/test/000601.png""",
    licence="none stated: ask its authors",
    citation="Dong, Song, He, Xu, Yan, Meng: PGA-Net, pyramid feature fusion and global context attention network for "
    "automated surface defect detection. IEEE Transactions on Industrial Informatics 2020",
    page="https://github.com/DHW-Master/NEU_Seg",
    checked="the data set's own list of files (DHW-Master/NEU_Seg)",
    nouns=textures(neu_seg="steel surface"),
    note="Masks number the kinds of defects; all above 0 is defective. All masks are read when the folder is opened.",
)
