"""The errors of the engine, as a tree. The message of a UserError is one line that names the problem and the way out.

Exception
    UserError                   the user can fix the cause; exit code 2
        ConfigError             a setting or an option is wrong; also a ValueError
            DataError           the files of a data set are missing, damaged or not the expected ones
            FileKindError       a file is no file of weights that can be read
            SourceError         the source of `fastadv prepare` (a folder or tar files) cannot be prepared as it is
        CheckpointError         no checkpoint of the run can be used
        DivergedError           the loss or a weight is NaN or infinite
        CompileError            the network of a run with `compile = on` cannot be compiled
        CaptureError            the step of a run with `capture = on` cannot be captured
        GpuMemoryError          the memory of the GPU is full
        RecordError             a TensorBoard event file is damaged, or is none
        SubmissionError         the `config.json` of a run cannot be read
    Stopped                     not an error: the process was asked to stop
    CopyError                   `fastadv prepare` cannot go on; finished copies are kept
    WorkersError                no process that decodes images can be started; the engine decodes them itself
    UnsupportedImageError       a file that is not taken as an image: no plain file, too large, or without a known range
    BrokenImageError            one image cannot be copied and is left out
    DecodeError                 one image cannot be decoded and is replaced by a grey one
        GoneError               the file of the image is missing
    OSError
        WriteError              a disk does not take a file: it is full, a quota is reached, or writing fails
"""

from typing import ClassVar


class UserError(Exception):
    """An error that the user can fix. The program shows its message as one line, without a traceback; exit code 2.

    resumable: whether a run that ended with the error can be resumed without a change by the user.
    """

    resumable: ClassVar[bool] = False


class ConfigError(UserError, ValueError):
    """A wrong setting. The message is one line with the setting, its value and the allowed values.

    ConfigError is a ValueError because msgspec turns a ValueError raised in `__post_init__` into its ValidationError,
    which names the place in the JSON. msgspec passes any other exception through `decode` and `convert` unchanged.
    """


class DataError(ConfigError):
    """Data is missing, damaged or not the expected data. The message is one line with the place and the way out."""
