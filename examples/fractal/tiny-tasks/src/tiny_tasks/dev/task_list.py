"""The tasks of this package, for `fractal-manifest create --package tiny-tasks`."""

from fractal_task_tools.task_models import CompoundTask, ConverterNonParallelTask, NonParallelTask, ParallelTask

AUTHORS = "The Trivet authors"
DOCS_LINK = None

TASK_LIST = [
    ConverterNonParallelTask(
        name="Convert images",
        executable="convert_images.py",
        meta={"cpus_per_task": 1, "mem": 1000},
        category="Conversion",
        modality="HCS",
        tags=["PNG", "TIFF"],
    ),
    ParallelTask(
        name="Segment nuclei",
        executable="segment_nuclei.py",
        meta={"cpus_per_task": 1, "mem": 1000},
        output_types={"segmented": True},
        category="Segmentation",
        modality="HCS",
        tags=["Otsu", "2D", "3D"],
    ),
    CompoundTask(
        name="Project wells",
        executable_init="init_project_wells.py",
        executable="project_well.py",
        meta_init={"cpus_per_task": 1, "mem": 500},
        meta={"cpus_per_task": 1, "mem": 1000},
        input_types={"is_3D": True},
        output_types={"is_3D": False},
        category="Image Processing",
        modality="HCS",
        tags=["Maximum intensity projection"],
    ),
    NonParallelTask(
        name="Measure nuclei",
        executable="measure_nuclei.py",
        meta={"cpus_per_task": 1, "mem": 1000},
        input_types={"segmented": True},
        category="Measurement",
        modality="HCS",
        tags=["CSV"],
    ),
]
