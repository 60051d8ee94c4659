import sys
import cartopy, cartopy.crs as crs, h5py, keras, matplotlib, numpy as np, pandas, pyproj, shapely
import tensorflow as tf, xarray, xgcm

matplotlib.use('Agg')
import matplotlib.pyplot as plt

assert np.allclose(crs.Mercator().transform_point(5, 50, crs.PlateCarree()), (556597.45, 6413524.59))
axes = plt.axes(projection=crs.PlateCarree())
axes.plot([0, 10], [40, 50], transform=crs.Geodetic())
plt.gcf().canvas.draw()
centers, edges = ('x_c', np.arange(4.0)), ('x_g', np.arange(4.0) + 0.5)
data = xarray.Dataset({'t': ('x_c', np.arange(4.0) ** 2)}, coords={'x_c': centers, 'x_g': edges})
coords = {'X': {'center': 'x_c', 'right': 'x_g'}}
grid = xgcm.Grid(data, coords=coords, autoparse_metadata=False, padding='periodic')
assert grid.diff(data.t, 'X').values.tolist() == [1, 3, 5, -9]
assert np.allclose(tf.linalg.inv(2 * tf.eye(3)), np.eye(3) / 2)
model = keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(1)])
model.compile(loss='mse')
model.fit(np.ones((8, 3)), np.ones(8), verbose=0)
assert model.predict(np.ones((2, 3)), verbose=0).shape == (2, 1)
with h5py.File('memory', 'w', driver='core', backing_store=False) as file:
    file['a'] = np.eye(2)
    assert file['a'][:].sum() == 2
modules = cartopy, h5py, keras, matplotlib, np, pandas, pyproj, shapely, tf, xarray, xgcm
print(*[it.__name__ for it in modules if not it.__file__.startswith(sys.argv[1])])
