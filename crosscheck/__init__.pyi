from bridge import Certificate as Certificate
from bridge import KerasClassifier as KerasClassifier
from bridge import LayerReport as LayerReport
from bridge import LossReport as LossReport
from bridge import NoiseFloor as NoiseFloor
from bridge import NumpyClassifier as NumpyClassifier
from bridge import OptimizerReport as OptimizerReport
from bridge import ParityReport as ParityReport
from bridge import TrainingParityReport as TrainingParityReport
from bridge import check_layer as check_layer
from bridge import check_loss as check_loss
from bridge import check_optimizer as check_optimizer
from bridge import compare as compare
from bridge import compare_models as compare_models
from bridge import compare_training as compare_training
from bridge import convert as convert
from bridge import copy_weights as copy_weights
from bridge import external_training as external_training
from bridge import from_autograd as from_autograd
from bridge import from_channels_first as from_channels_first
from bridge import from_functions as from_functions
from bridge import from_jax as from_jax
from bridge import model_from_layers as model_from_layers
from bridge import model_from_network as model_from_network
from bridge import noise_floor as noise_floor
from bridge import plant as plant
from bridge import random_weights as random_weights
from bridge import sensitivities as sensitivities
from core_numpy import GradientReport as GradientReport
from core_numpy import NumpyModel as NumpyModel
from core_numpy import WeightFileError as WeightFileError
from core_numpy import gradient_check as gradient_check
from core_numpy import load as load
from keras_models import KerasModel as KerasModel
from keras_models import ReadModel as ReadModel
from keras_models import floatx as floatx
from keras_models import read as read
from keras_models import set_threads as set_threads
from model_spec import Callback as Callback
from model_spec import EarlyStopping as EarlyStopping
from model_spec import EpochHook as EpochHook
from model_spec import Gradients as Gradients
from model_spec import History as History
from model_spec import Model as Model
from model_spec import ModelCheckpoint as ModelCheckpoint
from model_spec import ModelSpec as ModelSpec
from model_spec import ReduceLROnPlateau as ReduceLROnPlateau
from model_spec import TrainingSpec as TrainingSpec
from model_spec import load_model as load_model
from model_spec import model_from_json as model_from_json
from model_spec import to_json as to_json
from model_spec import zoo as zoo

from . import timing as timing

__version__: str
PUBLIC: dict[str, str]
__all__: list[str]
