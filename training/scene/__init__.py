"""Draws the starter world: the view of the camera's wearer at one instant.

A `State` determines a segment's pictures; `draw_frame(state, t)` gives the picture t seconds into
it. The same state and time always give the same picture. Sizes are in pixels of the 320x240 frame.
All differences between labels (place, prop, objects, persons) lie within the central 240x240,
because CLIP crops the frame to a square.

  place      a procedural room or landscape, jittered by the visit's seed, with typical furniture
             and clutter: canvas.py, rooms.py, indoors.py, outdoors.py, places.py
  people     up to three drawn persons who stay, wave or walk behind the place's surface
  objects    big emoji that lie on the place's surface (emoji.py); sometimes an arm or a passing
             thing hides them for a second (hiding.py)
  activity   two hands with their props, moving (hands.py); one function for each activity:
             chores.py, pastimes.py, carrying.py
  camera     head sway and turns with motion blur, drifting light, a little noise, and an optional
             clock in the corner
"""

from scene.camera import draw_frame, head_centres, object_centres, sheet, undisturbed
from scene.hiding import visible_objects
from scene.state import FPS, WEARERS, H, State, W, random_state

__all__ = [
    "FPS",
    "WEARERS",
    "H",
    "State",
    "W",
    "draw_frame",
    "head_centres",
    "object_centres",
    "random_state",
    "sheet",
    "undisturbed",
    "visible_objects",
]
