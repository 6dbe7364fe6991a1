"""The errors of fastadv_tui, and the tree of all errors that a user can correct. `except UserError` catches them all.

Exception
    UserError                   an error that the user can correct: one line, exit code 2
        BundleError             a bundle of runs cannot be written or unpacked
        ConfigError             a wrong setting or option; also a ValueError (engine/config/errors.py)
            DataError           a data set is missing, damaged, or not the expected one
            FileKindError       a file is no file of weights that can be read
            SourceError         the source of `fastadv prepare` (a folder or tar files) cannot be prepared as it is
        CaptureError            a training step cannot be captured in a CUDA graph, though the run asks for it
        CheckpointError         no checkpoint of the run can be used
        CompileError            a network cannot be compiled, though the run asks for it
        CurveError              no figure of a run has the asked name
        DeviceError             a run cannot use the device that it asks for; also a LookupError
        DivergedError           the loss or a weight of a training is NaN or infinite
        DownloadError           a file cannot be downloaded, or is not the file that was asked for
        EngineError             the engine's process cannot start, or gives no answer
        FigureError             a figure of runs cannot be drawn or written
        GpuMemoryError          a minibatch or an evaluation does not fit into the memory of a GPU
        HistoryError            the history cannot be written
        HomeError               the home folder cannot be used
        ImportFileError         a file of another program cannot be imported
        MissingExtraError       an optional package is not installed
        QueryError              a filter or a sort key that cannot be understood
        RecordError             a TensorBoard event file is damaged, or is none
        RunError                the run's present status does not allow the action
        RunNotFoundError        no run, or more than one run, has the given name
        SubmissionError         the `config.json` of a run cannot be read
        TagError                a typed tag is empty or not one word
        TrackerError            a tracker refuses
            NoAnswerError       the client of a tracker is gone or hangs
        SupersededError         nobody waits for the answer of the engine any more
    OSError
        QueueBusyError          another process has held the lock of the queue for a minute
    NewerSchemaError            the history was written by a later version of fastadv
"""

from engine.config.errors import UserError as UserError


class DeviceError(UserError, LookupError):
    """A device does not exist or does not work. The message begins with `device = `, the setting."""


class FigureError(UserError):
    """A figure cannot be drawn: matplotlib is missing, or a run has not what the figure shows."""


class HomeError(UserError):
    """The home folder cannot be used."""
