from gui.test_stacks import *
def test_dbg(ready, viewer, run, stack, qtbot):
    viewer.add_image(stack, name="stack")
    choose_planes(ready, "all")
    run(ready)
    ready.controls.live.setChecked(True)
    print(viewer.dims.current_step, ready.run_bar.score, {k:(v.detection.score, v.hottest) for k,v in ready.bench._results.items()})
    ready.controls.image.changed.connect(lambda: print("changed", ready.controls.image.shown().hidden))
    viewer.dims.set_current_step(0, 5)
    print(viewer.dims.current_step, ready.run_bar.score)
    viewer.dims.set_current_step(0, 1)
    print(viewer.dims.current_step, ready.run_bar.score)
