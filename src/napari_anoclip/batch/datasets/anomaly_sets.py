"""Data sets for anomaly detection: many categories, with a training split of good pictures, which is not looked at."""

from __future__ import annotations

from napari_anoclip.batch.datasets.layouts import FirstOf, Tree
from napari_anoclip.batch.datasets.model import DataSet, Noun
from napari_anoclip.batch.datasets.nouns import objects, textures
from napari_anoclip.batch.datasets.visa import SplitFile

MVTEC = DataSet(
    key="mvtec",
    title="MVTec AD",
    layout=Tree(),
    tree="""\
bottle/
    test/good/000.png
    test/broken_large/000.png
    ground_truth/broken_large/000_mask.png
cable/""",
    licence="CC BY-NC-SA 4.0",
    citation="Bergmann, Fauser, Sattlegger, Steger: MVTec AD, a comprehensive real-world dataset for unsupervised "
    "anomaly detection. CVPR 2019",
    page="https://www.mvtec.com/company/research/datasets/mvtec-ad",
    checked="the loader of anomalib (src/anomalib/data/datasets/image/mvtecad.py)",
    nouns=textures(carpet="carpet", grid="grid", leather="leather", tile="tile", wood="wood")
    | objects(
        bottle="bottle",
        cable="cable",
        capsule="capsule",
        hazelnut="hazelnut",
        metal_nut="metal nut",
        pill="pill",
        screw="screw",
        toothbrush="toothbrush",
        transistor="transistor",
        zipper="zipper",
    ),
    note="Categories of other names in the same layout are taken as well, such as your own.",
    any_names=True,
)

MVTEC_2 = DataSet(
    key="mvtec2",
    title="MVTec AD 2",
    layout=Tree(test="test_public", truth="test_public/ground_truth"),
    tree="""\
can/
    test_public/good/000_regular.png
    test_public/bad/000_regular.png
    test_public/ground_truth/bad/000_regular_mask.png
fabric/""",
    licence="CC BY-NC-SA 4.0",
    citation="Heckler-Kram, Neudeck, Scheler, König, Steger: The MVTec AD 2 dataset, advanced scenarios for "
    "unsupervised anomaly detection. arXiv 2503.21622",
    page="https://www.mvtec.com/company/research/datasets/mvtec-ad-2",
    checked="the loader of anomalib (src/anomalib/data/datasets/image/mvtecad2.py)",
    nouns=objects(
        can="can",
        fruit_jelly="fruit jelly",
        rice="rice",
        vial="vial",
        wallplugs="wall plugs",
        walnuts="walnuts",
    )
    | textures(fabric="fabric", sheet_metal="sheet metal"),
    note="Only test_public is evaluated: the truth of test_private and test_private_mixed is not public.",
)

VISA = DataSet(
    key="visa",
    title="VisA",
    layout=FirstOf((SplitFile(), Tree(around="1cls"))),
    tree="""\
split_csv/1cls.csv
candle/
    Data/Images/Normal/0000.JPG
    Data/Images/Anomaly/000.JPG
    Data/Masks/Anomaly/000.png
capsules/""",
    licence="CC BY 4.0",
    citation="Zou, Jeong, Pemula, Zhang, Dabeer: SPot-the-difference self-supervised pre-training for anomaly "
    "detection and segmentation. ECCV 2022",
    page="https://github.com/amazon-science/spot-diff",
    checked="the data set's own split_csv/1cls.csv and utils/prepare_data.py (amazon-science/spot-diff)",
    nouns=objects(
        candle="candle",
        capsules="capsules",
        cashew="cashew",
        chewinggum="chewing gum",
        fryum="fryum",
        macaroni1="macaroni",
        macaroni2="macaroni",
        pcb1="printed circuit board",
        pcb2="printed circuit board",
        pcb3="printed circuit board",
        pcb4="printed circuit board",
        pipe_fryum="pipe fryum",
    ),
    note="Also as prepare_data.py of its authors converts it: 1cls/candle/test/good, test/bad and ground_truth/bad.",
)

BTAD = DataSet(
    key="btad",
    title="BTAD",
    layout=Tree(good="ok"),
    tree="""\
01/
    test/ok/0000.bmp
    test/ko/0000.bmp
    ground_truth/ko/0000.png
02/
03/""",
    licence="CC BY-SA 4.0",
    citation="Mishra, Verk, Fornasier, Piciarelli, Foresti: VT-ADL, a vision transformer network for image anomaly "
    "detection and localization. ISIE 2021",
    page="https://github.com/pankajmishra000/VT-ADL",
    checked="the loader of anomalib (src/anomalib/data/datasets/image/btech.py) and AnomalyCLIP's (btad.py)",
    nouns={"01": Noun(object="product"), "02": Noun(object="surface", kind="texture"), "03": Noun(object="product")},
    note="Its authors do not say what the three products are. Masks may be PNG or BMP.",
)

MPDD = DataSet(
    key="mpdd",
    title="MPDD",
    layout=Tree(),
    tree="""\
bracket_black/
    test/good/000.png
    test/scratches/000.png
    ground_truth/scratches/000_mask.png
bracket_brown/""",
    licence="CC BY-NC-SA 4.0 (as anomalib states it; its own page has none)",
    citation="Jezek, Jonak, Burget, Dvorak, Skotak: Deep learning-based defect detection of metal parts, evaluating "
    "current methods in complex conditions. ICUMT 2021",
    page="https://github.com/stepanje/MPDD",
    checked="the loader of anomalib (src/anomalib/data/datasets/image/mpdd.py) and AnomalyCLIP's (mpdd.py)",
    nouns=objects(
        bracket_black="black bracket",
        bracket_brown="brown bracket",
        bracket_white="white bracket",
        connector="connector",
        metal_plate="metal plate",
        tubes="tubes",
    ),
)

DTD_SYNTHETIC = DataSet(
    key="dtd-synthetic",
    title="DTD-Synthetic",
    layout=Tree(),
    tree="""\
Woven_001/
    test/good/000.png
    test/bad/000.png
    ground_truth/bad/000_mask.png
Blotchy_099/""",
    licence="not stated; the textures are those of DTD, for research",
    citation="Aota, Tong, Okatani: Zero-shot versus many-shot, unsupervised texture anomaly detection. WACV 2023",
    page="https://www.vision.is.tohoku.ac.jp/?p=383&lang=en",
    checked="AnomalyCLIP's loader (DTD.py)",
    nouns=textures(
        Blotchy_099="blotchy texture",
        Fibrous_183="fibrous texture",
        Marbled_078="marbled texture",
        Matted_069="matted texture",
        Mesh_114="mesh",
        Perforated_037="perforated texture",
        Stratified_154="stratified texture",
        Woven_001="woven texture",
        Woven_068="woven texture",
        Woven_104="woven texture",
        Woven_125="woven texture",
        Woven_127="woven texture",
    ),
)
