"""English wordings of what the wearer of a camera asks about the log of a day; only data, and a
check of it.

The language model is trained from scratch and knows no English but what it is shown: a question in
words that no pattern
has is noise to it. So every kind of question is here in the words of many people: careful, hasty,
polite, long-winded.
A pattern may change everything but the meaning; the answer to be given stays that of its kind.

  WORDINGS        {kind: patterns} to train with
  HELD_OUT        {kind: patterns} which no training sees; they examine whether the understanding
                  goes beyond the patterns
  ABOUT_THING, ABOUT_PLACE, ABOUT_ACTIVITY   patterns which a log of places, activities, things and
                                             words never answers
  GENERAL         (question, clues): the same without slots; a clue that is spoken in the log may
                  make it answerable after all
  SLOTS           what str.format fills into the patterns of each kind

`python training/wordings.py` checks the promises above.
"""

import string

_ACTIVITY, _PLACE, _THING = (
    ("base", "gerund", "past"),
    ("place", "in"),
    ("object", "are", "were", "them"),
)
SLOTS = {
    "where_when": _ACTIVITY,
    "doing_at": ("time",),
    "when_last": _ACTIVITY,
    "did_i": _ACTIVITY,
    "how_many": _ACTIVITY,
    "after": _ACTIVITY,
    "before": _ACTIVITY,
    "last_seen": _THING,
    "why": _PLACE,
    "said_at": ("time",),
    "said_in": _PLACE,
    "promised": (),
    "met": _PLACE,
    "met_any": (),
    "people": _PLACE,
}


def _lines(text):
    """One pattern a line."""
    return text.strip().splitlines()


WORDINGS = {}

# The place; where something was done more than once, the last time counts.
WORDINGS["where_when"] = _lines("""
Where was I when I was {gerund}?
Where was I {gerund}?
Where did I {base}?
In which place was I {gerund}?
Where was I when I {past}?
Tell me where I was when I {past}.
tell me where i was {gerund}
where did i {base}
Could you tell me where I was {gerund}?
Could you please tell me in which place I {past}?
Do you know where I {past}?
Do you remember where I was {gerund}?
Can you say where it was that I {past}?
Where was it that I {past}?
Where exactly was I {gerund}?
Which place was I in while {gerund}?
Which place did I {base} in?
What place was I at when I {past}?
At what place did I {base}?
In what location was I {gerund}?
What was my location while I was {gerund}?
What was the place where I {past}?
Name the place where I {past}.
Give me the place where I was {gerund}.
I was {gerund}. Where was that?
I {past}, but where?
I know that I {past}. In which place did that happen?
When I was {gerund}, where was I?
When I {past}, in which place was I?
While I was {gerund}, where was I?
Where had I gone when I was {gerund}?
Where did you see me {gerund}?
In which place did you see me {gerund}?
Where have you seen me {gerund}?
Hey, where was I {gerund}?
Hey, do you know where I was when I {past}?
Okay, where did I {base} today?
Where did I {base} earlier?
Where today was I {gerund}?
Where did I go to {base}?
Where did it happen that I was {gerund}?
Where did {gerund} take place?
Where was I at the moment I was {gerund}?
place where i {past}?
place of {gerund}?
{gerund} where?
{gerund}: which place?
location while {gerund}
where {gerund}
where was i, {gerund}?
I forgot where I was when I {past}, can you help me?
I can't remember where I was {gerund}.
I would like to know where I {past}.
I want to know the place in which I was {gerund}.
I wonder where I was when I {past}.
Please find the place where I {past}.
Please look up where I was {gerund}.
Show me where I {past}.
Remind me where I was {gerund}.
Remind me, where did I {base}?
Help me remember where I {past}.
According to the log, where did I {base}?
Looking back at my day, where was I when I {past}?
Just before I forget it: in what place was I {gerund}?
Any idea where I was {gerund}?
So where did I {base}, then?
Where on earth did I {base}?
What is the name of the place where I was {gerund}?
What room or place was I in when I {past}?
Where in the video am I {gerund}?
Where am I {gerund}?
Where did I happen to be when I {past}?
Where'd I {base}?
What's the place where I {past}?
I'd like to know where I was {gerund}.
I don't remember where I {past}.
I have no idea where I was {gerund}, do you?
The place where I was {gerund}, what was it?
It slipped my mind where I {past}.
Somebody asks me where I {past}. What do I say?
Did you notice where I was {gerund}?
Was it the kitchen or the park or where, that I {past}?
""")

# The activity.
WORDINGS["doing_at"] = _lines("""
What was I doing at {time}?
What did I do at {time}?
At {time}, what was I doing?
What was I busy with at {time}?
what was i doing at {time}
what did i do at {time}
Tell me what I was doing at {time}.
tell me what i did at {time}
Could you tell me what I was doing at {time}?
Could you please say what I did at {time}?
Do you know what I was doing at {time}?
Do you remember what I did at {time}?
Can you tell me what I was up to at {time}?
What was I up to at {time}?
At {time}, what was I up to?
At {time}, what did I do?
At {time}, what was I busy with?
It was {time}. What was I doing?
When it was {time}, what was I doing?
When the clock said {time}, what was I doing?
When the video is at {time}, what am I doing?
What am I doing at {time}?
What am I busy doing at {time}?
What was I busy doing at {time}?
What was I in the middle of at {time}?
What was I in the middle of doing when it was {time}?
What was my activity at {time}?
Which activity was I busy with at {time}?
What activity was it at {time}?
Which activity is in the log at {time}?
What does the log say I was doing at {time}?
According to the log, what did I do at {time}?
How was I spending my time at {time}?
What was I spending my time on at {time}?
What kept me busy at {time}?
What was keeping me busy at {time}?
What was I working on at {time}?
What was I occupied with at {time}?
What had I been doing at {time}?
What did you see me doing at {time}?
What did you see me do at {time}?
What could you see me doing at {time}?
Hey, what was I doing at {time}?
Hey, what did I do around {time}?
Around {time}, what was I doing?
About {time}, what was I doing?
What was I doing around {time}?
What was I doing exactly at {time}?
What exactly did I do at {time}?
What was going on at {time}?
What happened at {time}?
What was happening at {time}?
{time}, what was i doing?
{time}: what was I up to?
{time} activity?
activity at {time}
what i did at {time}
what at {time}?
doing what at {time}?
doing at {time}?
my activity at {time}?
I forgot what I was doing at {time}.
I can't remember what I did at {time}, can you?
I would like to know what I was doing at {time}.
I want to know what I did at {time}.
I wonder what I was up to at {time}.
Please look up what I was doing at {time}.
Please check {time} and say what I was doing.
Look at {time} and tell me what I am doing.
Go to {time}. What am I doing there?
Show me what I was doing at {time}.
Remind me what I did at {time}.
Remind me, what was I busy with at {time}?
Help me remember what I was doing when it was {time}.
Describe what I was doing at {time}.
Name the activity at {time}.
Any idea what I was doing at {time}?
So what was I doing at {time}, then?
Looking back at my day, what was I busy with at {time}?
What'd I do at {time}?
What's in the log at {time}, what did I do?
I'd like to know what I was doing at {time}.
I don't remember what I was up to at {time}.
I have no idea what I was doing at {time}, do you?
Somebody asks me what I was doing at {time}. What do I say?
Did you notice what I was doing at {time}?
The thing I was doing at {time}, what was it?
""")

# The time at which the last one began.
WORDINGS["when_last"] = _lines("""
When did I last {base}?
When was I last {gerund}?
At what time did I last {base}?
When was the last time that I {past}?
when did i last {base}
when was i last {gerund}
Tell me when I last {past}.
tell me when i was last {gerund}
Could you tell me when I last {past}?
Could you please tell me the last time I {past}?
Do you know when I last {past}?
Do you remember when I was last {gerund}?
Can you tell me at what time I last {past}?
When was the last time I {past}?
When was the last time I was {gerund}?
When was the last time you saw me {gerund}?
When did you last see me {gerund}?
At what time did you last see me {gerund}?
What time was it when I last {past}?
What time was it the last time I was {gerund}?
What time did I last {base}?
What was the time when I last {past}?
What was the last time that I was {gerund}?
The last time I {past}, what time was it?
The last time that I was {gerund}, when was that?
I last {past} when?
I last {past} at what time?
I was {gerund}. When was that, the last time?
When did I {base} for the last time?
At what time did I {base} for the last time?
When was I {gerund} for the last time?
When did I most recently {base}?
When was I most recently {gerund}?
What is the most recent time that I {past}?
At which time was I last {gerund}?
At which moment did I last {base}?
When exactly did I last {base}?
When today did I last {base}?
When did I last {base} today?
When did I {base}?
At what time did I {base}?
When was I {gerund}?
What time was I {gerund}?
Hey, when did I last {base}?
Hey, when was the last time I was {gerund}?
Okay, at what time was I last {gerund}?
last time {gerund}?
last time i {past}?
last time i was {gerund}
last {gerund} when?
last {gerund}: time?
time of the last {gerund}?
time i last {past}
when {gerund} last?
{gerund}, when last?
I forgot when I last {past}.
I can't remember when I was last {gerund}, can you?
I would like to know when I last {past}.
I want to know the last time I {past}.
I wonder when I last {past}.
Please look up when I last {past}.
Please find the last time that I was {gerund}.
Give me the time when I last {past}.
Give me the last time of {gerund}.
Show me when I last {past}.
Remind me when I last {past}.
Remind me, when was I last {gerund}?
Help me remember when I last {past}.
According to the log, when did I last {base}?
Looking back at my day, at what time did I last {base}?
At what hour and minute did I last {base}?
Any idea when I last {past}?
So when did I last {base}, then?
When is the last time in the video that I am {gerund}?
What does the clock say when I last {base}?
When'd I last {base}?
What's the last time I {past}?
I'd like to know when I was last {gerund}.
I don't remember when I last {past}.
I have no idea when I was last {gerund}, do you?
Somebody asks me when I last {past}. What do I say?
Did you notice when I last {past}?
It slipped my mind when I last {past}.
""")

# Yes or no.
WORDINGS["did_i"] = _lines("""
Did I {base}?
Was I {gerund} at any time?
Did I ever {base}?
Did I {base} today?
did i {base}
did i {base} today
was i {gerund}
Was I {gerund}?
Was I {gerund} today?
Was I ever {gerund}?
Was I {gerund} at some point?
Was I at any time {gerund}?
Did I {base} at any time?
Did I {base} at some point?
Did I {base} at all?
Did I {base} at least once?
Did I {base} or not?
Did I really {base}?
Did I {base} during the day?
Did I {base} anywhere?
Did I, at any moment, {base}?
At any time today, did I {base}?
Have I been {gerund}?
Have I been {gerund} today?
Had I been {gerund} at some time?
I {past}, right?
I {past}, didn't I?
I {past} today, did I not?
I was {gerund} today, is that right?
I was {gerund}, wasn't I?
I {past}: yes or no?
Yes or no, did I {base}?
Yes or no: was I {gerund}?
Is it true that I {past}?
Is it true that I was {gerund}?
Is it right that I {past} today?
Is it so that I {past}?
Tell me whether I {past}.
tell me if i was {gerund}
Tell me if I {past} today.
Could you tell me whether I {past}?
Could you tell me if I was {gerund} at any time?
Do you know whether I {past}?
Do you know if I {past} today?
Do you remember whether I was {gerund}?
Do you remember me {gerund}?
Can you tell me if I {past}?
Can you check whether I {past}?
Did you see me {gerund}?
Did you see me {base}?
Did you ever see me {gerund}?
Have you seen me {gerund}?
Have you seen me {gerund} today?
Could you see me {gerund} at any time?
Am I {gerund} in the video?
Am I {gerund} anywhere in the log?
Is there a moment when I was {gerund}?
Was there any time when I {past}?
Was there a moment today at which I was {gerund}?
Does the log say that I {past}?
Does the log show me {gerund}?
According to the log, did I {base}?
Hey, did I {base}?
Hey, did I {base} today or not?
Okay, was I {gerund} today?
{gerund} today?
{gerund}, yes or no?
ever {gerund}?
was i ever {gerund} today
i {past} today?
I forgot if I {past}.
I can't remember whether I {past}, did I?
I would like to know whether I {past}.
I want to know if I was {gerund}.
I wonder whether I {past} today.
Please check if I {past}.
Please look up whether I was {gerund}.
Remind me, did I {base}?
Remind me whether I {past}.
Did it happen that I {past}?
Did I find the time to {base}?
Did I do such a thing as {gerund}?
Did I manage to {base}?
Did I spend any time {gerund}?
Any chance that I {past}?
So did I {base}, then?
Looking back at my day, did I {base}?
Didn't I {base}?
Wasn't I {gerund} today?
I'd like to know if I {past}.
I don't remember if I {past}.
I have no idea whether I {past}, do you?
Somebody asks me whether I was {gerund}. Was I?
Did you notice me {gerund}?
I think I {past} today. Is that true?
""")

# Once, twice, …
WORDINGS["how_many"] = _lines("""
How many times did I {base}?
How often did I {base}?
How many times was I {gerund}?
how many times did i {base}
how often did i {base}
how often was i {gerund}
How often was I {gerund}?
How often did I {base} today?
How many times did I {base} today?
How many times today was I {gerund}?
How many times have I been {gerund}?
How often have I been {gerund} today?
How many times in all did I {base}?
In total, how many times did I {base}?
How many times did I {base} in total?
How many times did I {base} during the day?
Just how often did I {base}?
Exactly how many times did I {base}?
How many times exactly was I {gerund}?
Tell me how many times I {past}.
tell me how often i {past}
Tell me how often I was {gerund}.
Could you tell me how many times I {past}?
Could you please tell me how often I was {gerund}?
Could you count how many times I {past}?
Do you know how many times I {past}?
Do you know how often I was {gerund}?
Do you remember how often I {past}?
Can you count the times that I {past}?
Can you tell me how many times I was {gerund}?
Count how often I {past}.
Count the times I was {gerund}.
Please count how many times I {past}.
Please count the times when I was {gerund}.
What is the number of times I {past}?
What is the number of times that I was {gerund}?
What was the number of times I {past} today?
Give me the number of times I {past}.
Give me the count of {gerund}.
On how many occasions did I {base}?
On how many occasions was I {gerund}?
At how many different times was I {gerund}?
How many times did you see me {gerund}?
How often did you see me {gerund}?
How often have you seen me {gerund} today?
How many times am I {gerund} in the video?
How many times does the log say that I was {gerund}?
How many times does {gerund} appear in the log?
How often does {gerund} come up?
How often am I {gerund} in the log?
I {past}, but how many times?
I {past}. How often?
I was {gerund}. How many times was that?
Did I {base} once, twice, or more often?
Was I {gerund} once or twice or how often?
Hey, how many times did I {base}?
Hey, how often was I {gerund} today?
Okay, how many times did I {base}?
number of times i {past}?
number of times {gerund}
times {gerund}?
{gerund}, how often?
{gerund}: how many times?
{gerund} how many times
{gerund} count?
count of {gerund}
I forgot how many times I {past}.
I can't remember how often I {past}, can you?
I would like to know how many times I {past}.
I want to know how often I was {gerund}.
I wonder how many times I {past}.
Remind me how many times I {past}.
Remind me, how often did I {base}?
Help me remember how often I was {gerund}.
Look up how many times I {past}.
According to the log, how often did I {base}?
Looking back at my day, how many times was I {gerund}?
Any idea how many times I {past}?
So how often did I {base}, then?
How frequently did I {base}?
How frequently was I {gerund}?
What's the number of times I {past}?
I'd like to know how often I {past}.
I don't remember how many times I {past}.
I have no idea how often I was {gerund}, do you?
Somebody asks me how often I {past}. What do I say?
Did you notice how many times I was {gerund}?
I must have been {gerund} a few times, how many?
""")

# The next activity.
WORDINGS["after"] = _lines("""
What did I do after {gerund}?
What did I do right after {gerund}?
What did I do after I {past}?
What came after {gerund}?
what did i do after {gerund}
what did i do after i {past}
what was i doing after {gerund}
What was I doing after {gerund}?
What was I doing right after I {past}?
What did I do directly after {gerund}?
What did I do straight after {gerund}?
What did I do just after {gerund}?
What did I do immediately after {gerund}?
What did I do next after {gerund}?
What did I do next when I was done {gerund}?
After {gerund}, what did I do?
After {gerund}, what came next?
After {gerund}, what was I doing?
After I {past}, what did I do?
After I {past}, what did I do next?
After I had finished {gerund}, what did I do?
After I stopped {gerund}, what was I doing?
When I had finished {gerund}, what did I do next?
When I was done {gerund}, what did I do?
Once I was finished {gerund}, what did I do?
Once I had stopped {gerund}, what came next?
What did I do once I had finished {gerund}?
What did I do when I stopped {gerund}?
What did I do as soon as I was done {gerund}?
What did I turn to after {gerund}?
What did I start doing after {gerund}?
What did I begin after {gerund}?
What did I go on to do after {gerund}?
What did I move on to after I {past}?
What was next after {gerund}?
What was the next thing I did after {gerund}?
What was the next thing that I did after I {past}?
What was the next activity after {gerund}?
What was my next activity when I was done {gerund}?
What activity came right after {gerund}?
Which activity followed {gerund}?
What followed {gerund}?
What happened after I {past}?
What happened right after {gerund}?
What comes after {gerund} in the log?
What is the line after {gerund} in the log?
I was {gerund}. What did I do next?
I {past}, and then?
I {past}, and then what did I do?
First I was {gerund}. And after that?
I {past}. What came next?
Tell me what I did after {gerund}.
tell me what i did right after i {past}
Tell me what came after {gerund}.
Could you tell me what I did after {gerund}?
Could you please tell me what I was doing after I {past}?
Do you know what I did after I {past}?
Do you remember what I did next after {gerund}?
Can you tell me what came right after {gerund}?
What did you see me doing after {gerund}?
What did you see me do right after I {past}?
Hey, what did I do after {gerund}?
Hey, what came next after I {past}?
Okay, what did I do once I was done {gerund}?
after {gerund}?
after {gerund} what?
right after {gerund}?
next after {gerund}
{gerund}, then what?
{gerund} and then?
what next after {gerund}
I forgot what I did after {gerund}.
I can't remember what I did after I {past}.
I would like to know what I did after {gerund}.
I want to know what came after {gerund}.
I wonder what I did next after {gerund}.
Please look up what I did right after {gerund}.
Name the activity that came after {gerund}.
Remind me what I did after I {past}.
Remind me, what came after {gerund}?
Help me remember what I did next after I {past}.
According to the log, what did I do after {gerund}?
Looking back at my day, what did I do right after I {past}?
Any idea what I did after {gerund}?
So what did I do after {gerund}, then?
What'd I do after {gerund}?
What's next after {gerund}?
I'd like to know what I did after I {past}.
I don't remember what I did after {gerund}.
I have no idea what I did next after {gerund}, do you?
Somebody asks me what I did after {gerund}. What do I say?
Did you notice what I did after {gerund}?
Later, when I was done {gerund}, what was the next thing I did?
""")

# The activity just before.
WORDINGS["before"] = _lines("""
What did I do before {gerund}?
What did I do right before {gerund}?
What did I do before I {past}?
What came before {gerund}?
what did i do before {gerund}
what did i do before i {past}
what was i doing before {gerund}
What was I doing before {gerund}?
What was I doing before I {past}?
What was I doing right before I {past}?
What was I doing just before I {past}?
What was I doing before I started {gerund}?
What was I doing before I began {gerund}?
What did I do directly before {gerund}?
What did I do straight before {gerund}?
What did I do just before {gerund}?
What did I do immediately before {gerund}?
What did I do last before {gerund}?
What was the last thing I did before {gerund}?
What was the last thing that I did before I {past}?
What had I done before {gerund}?
What had I been doing before I {past}?
What had I been doing just before {gerund}?
Before {gerund}, what did I do?
Before {gerund}, what was I doing?
Before {gerund}, what came?
Before I {past}, what did I do?
Before I {past}, what was I doing?
Before I started {gerund}, what did I do?
Just before I {past}, what had I been doing?
Right before {gerund}, what was I up to?
What was I up to before {gerund}?
What was I up to right before I {past}?
What was I busy with before I {past}?
What was I busy with just before {gerund}?
What did I stop doing to start {gerund}?
What did I finish before I started {gerund}?
What was the activity before {gerund}?
What was my previous activity when I started {gerund}?
What activity came right before {gerund}?
Which activity did I do before {gerund}?
Which activity came before {gerund}?
Which activity preceded {gerund}?
What preceded {gerund}?
What happened before I {past}?
What happened right before {gerund}?
What comes before {gerund} in the log?
What is the line before {gerund} in the log?
I was {gerund}. What did I do before that?
I was {gerund}. And before?
I {past}. What had I done just before?
I {past}, but what came before that?
Tell me what I did before {gerund}.
tell me what i did right before i {past}
Tell me what came before {gerund}.
Could you tell me what I did before {gerund}?
Could you please tell me what I was doing before I {past}?
Do you know what I did before I {past}?
Do you remember what I did just before {gerund}?
Can you tell me what came right before {gerund}?
What did you see me doing before {gerund}?
What did you see me do right before I {past}?
Hey, what did I do before {gerund}?
Hey, what came just before I {past}?
Okay, what was I doing before I started {gerund}?
before {gerund}?
before {gerund} what?
right before {gerund}?
just before {gerund}
{gerund}: what before?
{gerund}, and before that?
what before {gerund}
I forgot what I did before {gerund}.
I can't remember what I did before I {past}.
I would like to know what I did before {gerund}.
I want to know what came before {gerund}.
I wonder what I did just before {gerund}.
Please look up what I did right before {gerund}.
Name the activity that came before {gerund}.
Remind me what I did before I {past}.
Remind me, what came before {gerund}?
Help me remember what I was doing before I {past}.
According to the log, what did I do before {gerund}?
Looking back at my day, what did I do right before I {past}?
Any idea what I did before {gerund}?
So what did I do before {gerund}, then?
What'd I do before {gerund}?
What's the thing I did just before {gerund}?
I'd like to know what I did before I {past}.
I don't remember what I did before {gerund}.
I have no idea what I was doing before {gerund}, do you?
Somebody asks me what I did before {gerund}. What do I say?
Did you notice what I did before {gerund}?
Earlier, just before I was {gerund}, what was the thing I did?
""")

# The place in which the thing was last seen or carried.
WORDINGS["last_seen"] = _lines("""
Where did I last see the {object}?
Where did I leave the {object}?
Where {are} the {object}?
Where {are} my {object}?
Where did I leave my {object}?
In which place did I last see the {object}?
where {are} my {object}
where did i leave my {object}
where did i put the {object}
where {are} the {object}
Where did I put the {object}?
Where did I put my {object}?
Where have I put my {object}?
Where have I left the {object}?
Where have I seen the {object}?
Where did I see the {object}?
Where did I see my {object} for the last time?
Where {were} the {object}?
Where {were} my {object} last?
Where {were} the {object} when I last saw {them}?
Where {were} the {object} the last time?
Where {were} the {object} last seen?
Where did I have my {object} last?
Where did I last have the {object}?
Where did I last carry the {object}?
Where did I take the {object} last?
Where did I set down the {object}?
Where did I drop the {object}?
Where did I lose my {object}?
Where did I forget my {object}?
Where can I find the {object}?
Where can I find my {object}?
Where could my {object} be?
Where should I look for my {object}?
Where do I have to look for the {object}?
Where do I find my {object} again?
In which place can I find the {object}?
In which place did I leave my {object}?
In what place did I put the {object}?
At what place {were} my {object} last?
Which place did I leave the {object} in?
What is the place where I last saw the {object}?
What was the last place where I saw my {object}?
What is the location of my {object}?
Tell me where my {object} {are}.
tell me where i left the {object}
Tell me where I last saw the {object}.
Could you tell me where I left my {object}?
Could you please tell me where the {object} {are}?
Do you know where my {object} {are}?
Do you know where I put the {object}?
Do you remember where I left my {object}?
Can you tell me where I last saw my {object}?
Can you help me find my {object}?
Can you find the {object} for me?
Where did you last see my {object}?
Where did you see the {object}?
Where have you seen my {object}?
Have you seen where I put my {object}?
Hey, where {are} my {object}?
Hey, where did I put the {object}?
Okay, where did I leave the {object}?
{object} location?
{object}, where?
{object}: last seen where?
{object} last seen
{object} last place
my {object}, where did i leave {them}?
my {object}?
find my {object}
find the {object}
find {object}
I lost my {object}. Where did I leave {them}?
I need my {object}. Where did I put {them}?
I can't find the {object}, where did I last see {them}?
I can't find my {object}.
I forgot where I put the {object}.
I can't remember where I left my {object}, can you?
I would like to know where my {object} {are}.
I want to know where I last saw the {object}.
I wonder where I left my {object}.
The {object}, where did I see {them} last?
Please look up where I left the {object}.
Please help me find the {object}.
Please find my {object}.
Show me where I left my {object}.
Remind me where I put the {object}.
Remind me, where {are} my {object}?
Help me remember where I left the {object}.
According to the log, where did I last see the {object}?
Looking back at my day, where did I see the {object} last?
Any idea where my {object} {are}?
Any idea where I left the {object}?
So where {are} my {object}, then?
Where on earth {are} my {object}?
Where's my {object}?
Where's the {object}?
What's the place where I left my {object}?
I'd like to know where my {object} {are}.
I don't remember where I put my {object}.
I have no idea where my {object} {are}, do you?
Somebody asks me where the {object} {are}. What do I say?
Did you notice where I put the {object}?
Give me the whereabouts of my {object}.
I misplaced my {object}. In which place did I have {them} last?
It slipped my mind where I put my {object}.
""")

# To do what: the errand on which I was sent there.
WORDINGS["why"] = _lines("""
Why did I go to the {place}?
Why was I {in}?
What did I go to the {place} for?
What was the reason that I went to the {place}?
why did i go to the {place}
why was i {in}
what did i go to the {place} for
Why had I gone to the {place}?
Why did I have to go to the {place}?
Why did I visit the {place}?
Why did I walk to the {place}?
Why did I come to the {place}?
Why did I need to be {in}?
Why did I need to go to the {place}?
Why did I want to go to the {place}?
Why had I to be {in}?
Why was I sent to the {place}?
Why am I {in}?
What was I sent to the {place} for?
What was I to do {in}?
What was I supposed to do {in}?
What was I told to go to the {place} for?
What did they want me to go to the {place} for?
What should I do {in}?
What did I have to do {in}?
What did I need to do {in}?
What did I need from the {place}?
What did I want {in}?
What did I want from the {place}?
What did I want to do {in}?
What brought me to the {place}?
What took me to the {place}?
What led me to the {place}?
What made me go to the {place}?
What was I {in} for?
What was I after {in}?
What was the reason for going to the {place}?
What was the reason I was {in}?
What was my reason for being {in}?
What was my reason to go to the {place}?
What was my errand {in}?
What was my purpose {in}?
What was the purpose of going to the {place}?
What was the point of going to the {place}?
What was my task {in}?
What was my plan {in}?
What was the aim of my visit to the {place}?
For what did I go to the {place}?
For what reason did I go to the {place}?
For what reason was I {in}?
For which errand did I go to the {place}?
To do what did I go to the {place}?
I went to the {place}. Why?
I went to the {place}, but what for?
I was {in}. What for?
I was {in}, but why?
I had gone to the {place}. For what reason?
When I went to the {place}, what was the reason?
Tell me why I went to the {place}.
tell me why i was {in}
Tell me what I went to the {place} for.
Could you tell me why I was {in}?
Could you please tell me why I went to the {place}?
Do you know why I was {in}?
Do you know what I went to the {place} for?
Do you remember why I went to the {place}?
Can you tell me why I had to go to the {place}?
Can you explain why I was {in}?
Hey, why did I go to the {place}?
Hey, what was I {in} for?
Okay, why was I {in}?
How come I was {in}?
How come I went to the {place}?
{place}, why?
{place}: what for?
why the {place}?
reason for the {place}?
reason i was {in}
errand {in}?
I forgot why I went to the {place}.
I can't remember why I was {in}, can you?
I would like to know why I went to the {place}.
I want to know what I was {in} for.
I wonder why I was {in}.
Please explain why I went to the {place}.
Please give me the reason why I was {in}.
Give the reason for my visit to the {place}.
Remind me why I went to the {place}.
Remind me, what did I want {in}?
Help me remember why I was {in}.
According to the log, why did I go to the {place}?
Looking back at my day, what did I go to the {place} for?
Any idea why I was {in}?
So why did I go to the {place}, then?
What's the reason I went to the {place}?
I'd like to know why I was {in}.
I don't remember why I went to the {place}.
I have no idea why I was {in}, do you?
Somebody asks me why I went to the {place}. What do I say?
It slipped my mind why I went to the {place}.
""")

# The spoken words.
WORDINGS["said_at"] = _lines("""
What was said at {time}?
What did I hear at {time}?
Which words were spoken at {time}?
At {time}, what was said?
what was said at {time}
what did i hear at {time}
what did they say at {time}
What did someone say at {time}?
What did somebody say at {time}?
What did people say at {time}?
What did they say at {time}?
What did anyone say at {time}?
What was being said at {time}?
What was spoken at {time}?
What was I told at {time}?
What was I hearing at {time}?
What was the sentence spoken at {time}?
What were the words at {time}?
What were the words spoken at {time}?
What were people saying at {time}?
What were they saying at {time}?
What was someone saying at {time}?
What could I hear someone say at {time}?
What could be heard at {time}?
What was there to hear at {time}?
What was heard at {time}?
What is said at {time}?
What is being said when the video is at {time}?
What does someone say at {time}?
What do I hear at {time}?
What had someone said at {time}?
What did the voice say at {time}?
What did you hear at {time}?
What have you heard at {time}?
What words did you hear at {time}?
What words did I hear at {time}?
What words were said at {time}?
What words came at {time}?
What sentence was spoken at {time}?
What sentence did I hear at {time}?
Which sentence was said at {time}?
Which sentence did someone say at {time}?
Which words were said at {time}?
Which words did I hear at {time}?
At {time}, what did I hear?
At {time}, what did they say?
At {time}, which words were spoken?
At {time} someone said something. What was it?
At {time} somebody spoke. What were the words?
It was {time}. What was said?
When it was {time}, what did someone say?
When the clock said {time}, what did I hear?
Around {time}, what was said?
What was said around {time}?
What exactly was said at {time}?
What did I hear exactly at {time}?
Tell me what was said at {time}.
tell me what i heard at {time}
Tell me which words were spoken at {time}.
Could you tell me what was said at {time}?
Could you please repeat what was said at {time}?
Do you know what was said at {time}?
Do you remember what I heard at {time}?
Can you tell me what they said at {time}?
Can you repeat the words from {time}?
Hey, what was said at {time}?
Hey, what did someone say at {time}?
Okay, what did I hear at {time}?
{time}, what was said?
{time}: which words?
words at {time}?
words spoken at {time}
said at {time}?
heard at {time}?
speech at {time}?
what they said at {time}
I forgot what was said at {time}.
I can't remember what I heard at {time}, can you?
I did not hear well what was said at {time}.
I missed what was said at {time}.
I would like to know what was said at {time}.
I want to know what they said at {time}.
I wonder what I heard at {time}.
Please repeat what was said at {time}.
Please look up what was said at {time}.
Say again what was said at {time}.
Repeat the words spoken at {time}.
Quote what was said at {time}.
Give me the words that were spoken at {time}.
Write down what was said at {time}.
Remind me what was said at {time}.
Remind me, what did I hear at {time}?
Help me remember what was said when it was {time}.
According to the log, what was said at {time}?
Looking back at my day, what did I hear at {time}?
Any idea what was said at {time}?
So what did they say at {time}, then?
What'd they say at {time}?
What's being said at {time}?
I'd like to know what was said at {time}.
I don't remember what was said at {time}.
I have no idea what they said at {time}, do you?
Somebody asks me what was said at {time}. What do I say?
Did you catch what was said at {time}?
""")

# The spoken words.
WORDINGS["said_in"] = _lines("""
What was said {in}?
What did I hear {in}?
What did someone say {in}?
Which words were spoken {in}?
what was said {in}
what did i hear {in}
what did they say {in}
What did somebody say {in}?
What did people say {in}?
What did they say {in}?
What did anyone say {in}?
What did someone say to me {in}?
What did they tell me {in}?
What was being said {in}?
What was spoken {in}?
What was I told {in}?
What was I hearing {in}?
What was the sentence spoken {in}?
What were the words spoken {in}?
What were people saying {in}?
What were they saying {in}?
What was someone saying {in}?
What could I hear someone say {in}?
What was heard {in}?
What is said {in}?
What does someone say {in}?
What do I hear someone say {in}?
What had someone said {in}?
What did the voice say {in}?
What did you hear {in}?
What have you heard {in}?
What words did you hear {in}?
What words did I hear {in}?
What words were said {in}?
What sentence was spoken {in}?
What sentence did I hear {in}?
Which sentence was said {in}?
Which sentence did someone say {in}?
Which words were said {in}?
Which words did I hear {in}?
When I was {in}, what was said?
When I was {in}, what did I hear?
When I was {in}, what did they say?
While I was {in}, what did someone say?
While I was {in}, which words were spoken?
What was said when I was {in}?
What was said while I was {in}?
What did I hear when I was {in}?
What did they say to me when I was {in}?
Someone said something {in}. What was it?
Somebody spoke {in}. What were the words?
I was {in}. What was said there?
I was {in} and someone said something, what?
What exactly was said {in}?
Tell me what was said {in}.
tell me what i heard {in}
Tell me which words were spoken {in}.
Could you tell me what was said {in}?
Could you please repeat what was said {in}?
Do you know what was said {in}?
Do you remember what I heard {in}?
Can you tell me what they said {in}?
Can you repeat the words that were spoken {in}?
Hey, what was said {in}?
Hey, what did someone say {in}?
Okay, what did I hear {in}?
{place}: what was said?
{place}: which words?
words spoken {in}
said {in}?
heard {in}?
speech {in}?
what they said {in}
I forgot what was said {in}.
I can't remember what I heard {in}, can you?
I did not hear well what was said {in}.
I missed what was said {in}.
I would like to know what was said {in}.
I want to know what they said {in}.
I wonder what I heard {in}.
Please repeat what was said {in}.
Please look up what was said {in}.
Say again what was said {in}.
Repeat the words spoken {in}.
Quote what was said {in}.
Give me the words that were spoken {in}.
Write down what was said {in}.
Remind me what was said {in}.
Remind me, what did I hear {in}?
Help me remember what was said {in}.
According to the log, what was said {in}?
Looking back at my day, what did I hear {in}?
Any idea what was said {in}?
So what did they say {in}, then?
What'd they say {in}?
What's being said {in}?
I'd like to know what was said {in}.
I don't remember what was said {in}.
I have no idea what they said {in}, do you?
Somebody asks me what was said {in}. What do I say?
Did you catch what was said {in}?
""")

# What I gave my word to do.
WORDINGS["promised"] = _lines("""
What did I promise?
What did I promise to do?
What have I promised?
What have I promised to do?
What had I promised?
what did i promise
what did i promise to do
What did I promise today?
What did I say I would do?
What did I say that I would do?
What did I say I was going to do?
What did I say I will do?
What did I tell them I would do?
What did I tell someone I would do?
What did I give my word to do?
What did I give my word on?
What did I agree to do?
What did I commit to?
What did I commit to doing?
What did I make a promise about?
What was my promise?
What was it that I promised?
What was it that I promised to do?
What was the promise I made?
What was the promise that I gave?
What was the thing I promised to do?
What is my promise?
What is the promise that I made today?
What am I to do because I promised it?
What do I have to do because I promised?
What must I do to keep my promise?
What must I do because I gave my word?
What should I do to keep my word?
What promise did I make?
What promise did I give?
What promise have I made today?
What promise do I have to keep?
Which promise did I make?
Which promise did I give today?
Which promise must I keep?
Which thing did I promise to do?
Tell me what I promised.
tell me what i promised to do
Tell me what I said I would do.
Tell me which promise I made.
Could you tell me what I promised?
Could you please tell me what I said I would do?
Do you know what I promised?
Do you know what I said I would do?
Do you remember what I promised to do?
Do you remember my promise?
Can you tell me what I promised today?
Can you repeat my promise?
Did you hear what I promised?
What did you hear me promise?
What did you hear me say I would do?
Hey, what did I promise?
Hey, what did I say I would do?
Okay, what was my promise?
my promise?
my promise today?
promise?
promised what?
what i promised
thing i promised to do?
I promised something. What was it?
I made a promise. What was it?
I made a promise today, but which one?
I said that I would do something. What was that?
I gave my word today. To do what?
I forgot what I promised.
I can't remember what I promised, can you?
I can't remember what I said I would do.
I would like to know what I promised.
I want to know what I said I would do.
I wonder what I promised to do.
I want to keep my promise. What was it?
Please repeat what I promised.
Please look up what I promised to do.
Please find the promise that I made.
Remind me what I promised.
Remind me of my promise.
Remind me, what did I say I would do?
Help me remember what I promised.
Help me keep my promise, what was it?
Give me the promise that I made.
Name the thing that I promised to do.
According to the log, what did I promise?
Looking back at my day, what did I promise to do?
Any idea what I promised?
So what did I promise, then?
What'd I promise?
What's my promise?
I'd like to know what I promised.
I don't remember what I promised.
I have no idea what I promised, do you?
Somebody asks me what I promised. What do I say?
Did you catch what I promised to do?
It slipped my mind what I promised.
""")

# The name.
WORDINGS["met"] = _lines("""
Who did I meet {in}?
Whom did I meet {in}?
who did i meet {in}
who was it that i met {in}
Who was it that I met {in}?
Who did I meet when I was {in}?
Who did I meet while I was {in}?
Who did I see and greet {in}?
Who did I get to know {in}?
Who did I come across {in}?
Who did I run into {in}?
Who did I talk to {in}?
Who did I speak with {in}?
Who have I met {in}?
Who had I met {in}?
Who met me {in}?
Who greeted me {in}?
Who said hello to me {in}?
Who said hello {in}?
Who told me their name {in}?
Who gave me their name {in}?
Who introduced themselves {in}?
Who introduced themselves to me {in}?
Who came up to me {in}?
Who talked to me {in}?
Who was the person I met {in}?
Who was the person that I met {in}?
Who was the person who said hello {in}?
Who is the person I met {in}?
Who is it that I met {in}?
What was the name of the person I met {in}?
What is the name of the person I met {in}?
What is the name of the one who greeted me {in}?
What is the name of who I met {in}?
What was the person called whom I met {in}?
What name did I hear when I met someone {in}?
What name did the person {in} give?
Which person did I meet {in}?
Which person greeted me {in}?
With whom did I meet {in}?
When I was {in}, who did I meet?
When I was {in}, who said hello to me?
While I was {in}, whom did I meet?
I met someone {in}. Who was it?
I met someone {in}. What is the name?
I met a person {in}, but who?
Someone said hello to me {in}. Who was that?
Someone told me a name {in}. Which one?
Tell me who I met {in}.
tell me who i met {in}
Tell me the name of the person I met {in}.
Could you tell me who I met {in}?
Could you please tell me the name of the person I met {in}?
Do you know who I met {in}?
Do you know the name of the person who greeted me {in}?
Do you remember who I met {in}?
Can you tell me whom I met {in}?
Did you hear the name of the person I met {in}?
Who did you see me meet {in}?
Hey, who did I meet {in}?
Hey, who said hello to me {in}?
Okay, whom did I meet {in}?
{place}: who did i meet?
met {in}?
met who {in}?
who i met {in}
name of the person {in}?
person met {in}
I forgot who I met {in}.
I can't remember who I met {in}, can you?
I can't remember the name of the person I met {in}.
I would like to know who I met {in}.
I want to know who said hello to me {in}.
I wonder who I met {in}.
Please look up who I met {in}.
Please give me the name of the person I met {in}.
Give me the name of the person I met {in}.
Name the person that I met {in}.
Remind me who I met {in}.
Remind me, who did I meet {in}?
Help me remember the name of the person I met {in}.
According to the log, who did I meet {in}?
Looking back at my day, whom did I meet {in}?
Any idea who I met {in}?
So who did I meet {in}, then?
Who'd I meet {in}?
Who's the person I met {in}?
What's the name of the person I met {in}?
What was the name of the person that I met {in}?
I'd like to know who I met {in}.
I don't remember who I met {in}.
I have no idea who I met {in}, do you?
Somebody asks me who I met {in}. What do I say?
Did you catch the name of the person I met {in}?
""")

# The name.
WORDINGS["met_any"] = _lines("""
Who did I meet?
Who did I meet today?
Whom did I meet?
Whom did I meet today?
who did i meet
who did i meet today
who was it that i met
Who was it that I met today?
Who did I meet on my way?
Who did I meet during the day?
Who did I get to know?
Who did I get to know today?
Who did I come across today?
Who did I run into?
Who did I run into today?
Who did I talk to today?
Who have I met?
Who have I met today?
Who had I met today?
Who met me today?
Who greeted me?
Who greeted me today?
Who said hello to me?
Who said hello?
Who said hello to me today?
Who told me their name?
Who gave me their name today?
Who introduced themselves?
Who introduced themselves to me today?
Who came up to me and said hello?
Who was the person I met?
Who was the person that I met today?
Who was the person who said hello?
Who is the person I met today?
Who is it that I met?
What was the name of the person I met?
What was the name of the person I met today?
What is the name of the person I met?
What is the name of the one who greeted me?
What is the name of who I met today?
What was the person called whom I met?
What name did I hear when I met someone?
What name did the person I met give me?
Which person did I meet?
Which person did I meet today?
Which person greeted me today?
With whom did I meet today?
I met someone today. Who was it?
I met someone. What is the name?
I met a person today, but who?
Someone said hello to me today. Who was that?
Someone told me a name today. Which one?
Tell me who I met.
tell me who i met today
Tell me the name of the person I met.
Could you tell me who I met today?
Could you please tell me the name of the person I met today?
Do you know who I met?
Do you know the name of the person who greeted me?
Do you remember who I met today?
Can you tell me whom I met?
Did you hear the name of the person I met?
Who did you see me meet?
Hey, who did I meet today?
Hey, who said hello to me?
Okay, whom did I meet today?
met today?
met who?
who i met today
name of the person i met?
person met today
I forgot who I met.
I can't remember who I met today, can you?
I can't remember the name of the person I met.
I would like to know who I met today.
I want to know who said hello to me.
I wonder who I met today.
Please look up who I met.
Please give me the name of the person I met today.
Give me the name of the person I met.
Name the person that I met today.
Remind me who I met today.
Remind me, who did I meet?
Help me remember the name of the person I met today.
According to the log, who did I meet?
Looking back at my day, whom did I meet?
Any idea who I met today?
So who did I meet, then?
Who'd I meet today?
Who's the person I met?
What's the name of the person I met?
What was the name of the person that I met?
I'd like to know who I met.
I don't remember who I met today.
I have no idea who I met today, do you?
Somebody asks me who I met today. What do I say?
Did you catch the name of the person I met?
""")

# One person, two people, …
WORDINGS["people"] = _lines("""
How many people were there {in}?
How many people were {in}?
How many people were with me {in}?
How many people did I see {in}?
how many people were {in}
how many people were there {in}
how many people did i see {in}
How many persons were {in}?
How many persons were there {in}?
How many others were {in}?
How many other people were {in}?
How many people were around {in}?
How many people were around me {in}?
How many people were near me {in}?
How many people were in sight {in}?
How many people could I see {in}?
How many people could be seen {in}?
How many people did I have around me {in}?
How many people are {in}?
How many people are there {in}?
How many people are with me {in}?
How many people do I see {in}?
How many people can be seen {in}?
How many people stood {in}?
How many people did you see {in}?
How many people have you seen {in}?
How many people can you see {in}?
How many people could you count {in}?
How many people does the log show {in}?
How many people shared the {place} with me?
How many people kept me company {in}?
Not counting me, how many people were {in}?
How many were with me {in}?
How many faces did I see {in}?
How many strangers were {in}?
How many human beings were {in}?
How many people exactly were {in}?
When I was {in}, how many people were there?
When I was {in}, how many people were with me?
When I was {in}, how many people did I see?
While I was {in}, how many people were around me?
While I was {in}, how many people were in sight?
I was {in}. How many people were there?
I was {in} with others. How many?
I saw people {in}. How many were there?
There were people {in}, but how many?
Was there one person {in}, two people, or three?
Were there one, two or three people {in}?
What was the number of people {in}?
What is the number of people {in}?
What was the number of people around me {in}?
What number of people did I see {in}?
In what number were people {in}?
Tell me how many people were {in}.
tell me how many people i saw {in}
Tell me the number of people {in}.
Could you tell me how many people were {in}?
Could you please tell me how many people were with me {in}?
Could you count the people {in}?
Do you know how many people were {in}?
Do you remember how many people I saw {in}?
Can you tell me how many people were around {in}?
Can you count how many people were {in}?
Count the people {in}.
Please count the people {in}.
Please count how many people were with me {in}.
Hey, how many people were {in}?
Hey, how many people did I see {in}?
Okay, how many people were with me {in}?
{place}: how many people?
{place}: number of people?
number of people {in}?
people {in}?
people {in}, how many
people count {in}
count of people {in}
I forgot how many people were {in}.
I can't remember how many people were {in}, can you?
I would like to know how many people were {in}.
I want to know how many people I saw {in}.
I wonder how many people were with me {in}.
Please look up how many people were {in}.
Give me the number of people {in}.
Remind me how many people were {in}.
Remind me, how many people were with me {in}?
Help me remember how many people were {in}.
According to the log, how many people were {in}?
Looking back at my day, how many people did I see {in}?
Any idea how many people were {in}?
So how many people were {in}, then?
What's the number of people {in}?
I'd like to know how many people were {in}.
I don't remember how many people were {in}.
I have no idea how many people were {in}, do you?
Somebody asks me how many people were {in}. What do I say?
Did you notice how many people were {in}?
""")

# In other words than those above.
HELD_OUT = {
    "where_when": _lines("""
What were my whereabouts while {gerund}?
I have been {gerund} today, just say the place.
The place I chose to {base}, which was it?
Whereabouts did you catch me {gerund}?
In what part of the world did I {base}?
Where does the log put me when I {past}?
Which of the places did I {base} at?
i know i {past} somewhere, where was it again
"""),
    "doing_at": _lines("""
How did I use my time at {time}?
What was my occupation when the time was {time}?
What would you have found me doing at {time}?
If you look at {time}, what do you see me do?
Say what I did when the clock was at {time}.
What does {time} show me doing?
{time}, what was it that kept my hands busy?
my day at {time}, what was it i did
"""),
    "when_last": _lines("""
What hour did the log have when I {past} last?
Find me the moment at which I was {gerund} last.
{gerund}: what was the latest time?
The latest time I {past}, please.
Give the time at which you saw me {gerund} last.
Of all the times I {past}, when was the last one?
How late was it when I was {gerund} for the last time?
"""),
    "did_i": _lines("""
Have you got me {gerund} anywhere in the log?
Would it be right to say that I {past}?
Is there anything about me {gerund}?
Can you find me {gerund} at any time of the day?
Am I right that I {past}?
Someone asked me whether I {past}. What is the answer?
Did my day have a moment of me {gerund} in it?
was there {gerund} in my day or not
"""),
    "how_many": _lines("""
What is the count of the times you saw me {gerund}?
Add up the times that I {past}.
So far, how many times is it that I {past}?
If you count them all, how often was I {gerund}?
{gerund}, once or more than once, how many?
How many moments are there at which I was {gerund}?
all the times i {past}, how many are they
"""),
    "after": _lines("""
With {gerund} over, what did I do?
What was it that I did as my next thing once I {past}?
Where the log says {gerund}, which activity is the next?
I finished {gerund} and started something else, what was it?
And then, when {gerund} was over, what was I busy with?
Which thing was I doing next, when I was no longer {gerund}?
following {gerund} i did what
"""),
    "before": _lines("""
What led up to {gerund}?
What was I doing until I started {gerund}?
Prior to {gerund}, what was I busy with?
Which thing was I doing when I was not yet {gerund}?
Where the log says {gerund}, which activity is the previous one?
I stopped something and started {gerund}, what did I stop?
Going back one step from {gerund}, what was I doing?
"""),
    "last_seen": _lines("""
Where would I have to go to get my {object}?
At which place should I search for the {object}?
Has my {object} turned up, and in which place?
What became of my {object}, where did I have {them}?
The last time you saw my {object}, what place was that?
My {object} must be somewhere, where do I go to look?
To get the {object} back, which place do I go to?
i need the {object} so where did i have {them}
"""),
    "why": _lines("""
What business did I have {in}?
What was it that I had to get done {in}?
The {place}: what did someone want me to do there?
With what in mind did I go to the {place}?
My going to the {place}, what was it good for?
What had I been asked to go to the {place} for?
Being {in}, what was I there to do?
"""),
    "said_at": _lines("""
What came to my ears at {time}?
At {time} someone was talking, so what did they say?
How did the sentence go that I heard at {time}?
Read me the words from {time}.
What was somebody telling me when it was {time}?
What does the log have under heard at {time}?
Let me hear again what came at {time}.
"""),
    "said_in": _lines("""
What came to my ears {in}?
Someone was talking {in}, so what did they say?
How did the sentence go that I heard {in}?
Read me the words from the {place}.
What was somebody telling me {in}?
What does the log have under heard for the {place}?
Let me hear again what was spoken when I was {in}.
"""),
    "promised": _lines("""
What are people counting on me to do?
What have I said yes to doing?
To do what did I bind myself?
What did I swear that I would do?
What will I have to do, now that I gave my promise?
When I said i promise, what came next?
There is something I said I would do for someone, what is it?
"""),
    "met": _lines("""
Whose hello did I hear {in}?
What did the person {in} say their name was?
Someone new was {in}, what are they called?
Whose name did I learn {in}?
How is the person called that came to greet me {in}?
The one who came to say hello {in}, who is that?
Who made themselves known to me {in}?
"""),
    "met_any": _lines("""
Whose hello did I hear?
Whose name did I learn today?
Is there someone new that I know since today, and who?
How is the person called that came to greet me?
The one who came to say hello, who is that?
Who made themselves known to me today?
What did the person say their name was when we met?
"""),
    "people": _lines("""
How big was the company I had {in}?
Besides me, how many were {in}?
If you count heads {in}, how many do you get?
The {place} had how many people in it, apart from me?
How many did the camera show {in}, I mean people?
Who was there {in}, one, two or three people?
people that i had with me {in}, what number
"""),
}

# What no log of places, activities, things in sight and spoken words tells.
ABOUT_THING = _lines("""
What colour {were} the {object}?
How much did the {object} cost?
Who gave me the {object}?
How big {were} the {object}?
Who owns the {object}?
How old {are} the {object}?
Which brand {are} the {object}?
How heavy {were} my {object}?
What {are} the {object} made of?
From which material {are} my {object}?
Who bought the {object}?
Where did I buy the {object}?
In which shop did I get my {object}?
When did I buy my {object}?
What was the price of the {object}?
Was the price of the {object} too high?
Which colour {are} my {object}?
Which size {are} my {object}?
How long {are} the {object}?
How wide {were} the {object}?
How tall {were} the {object}?
What did the {object} smell like?
What did the {object} taste like?
How did the {object} feel in my hand?
{are} the {object} new or old?
{were} the {object} clean?
{were} the {object} broken?
{are} my {object} still any good?
{were} the {object} warm or cold?
Who made the {object}?
In which country {were} the {object} made?
What year {are} the {object} from?
Who broke my {object}?
Who will get my {object} one day?
What shape {were} the {object}?
What was written on the {object}?
How many pounds did I pay for my {object}?
Did I pay too much for the {object}?
How long have I had my {object}?
Why did I buy the {object}?
Who likes my {object}?
Which pattern {were} on the {object}?
{were} the {object} a present from someone?
What {are} the {object} worth?
Could I sell the {object}, and for how much?
Who had the {object} before me?
What sound did the {object} make?
Can the {object} be repaired?
Who cleaned my {object}?
what colour {are} my {object}
price of the {object}?
{object} brand?
weight of the {object}?
Tell me who bought me the {object}.
Could you tell me what my {object} cost?
Do you know what the {object} {are} made of?
I would like to know how old the {object} {are}.
""")

ABOUT_PLACE = _lines("""
How big was the {place}?
How far is the {place} from here?
How long is the way to the {place}?
How did I get to the {place}?
Was it cold {in}?
Was it warm {in}?
How warm was it {in}?
What did it smell like {in}?
How loud was it {in}?
Was it clean {in}?
Was it dark {in}?
What colour was everything {in}?
How old is the {place}?
Who built the {place}?
Who owns the {place}?
Who cleans the {place}?
In which city is the {place}?
What is the address of the {place}?
What is the name of the {place}?
How many rooms does the {place} have?
How many windows are there {in}?
How many lamps did I see {in}?
Did I like it {in}?
How did I feel {in}?
What did I think about {in}?
Was I happy {in}?
Was I hungry {in}?
What was I wearing {in}?
Which shoes did I wear {in}?
What was the weather like when I was {in}?
Was it raining when I was {in}?
What song was playing {in}?
What day was it when I was {in}?
When was I {in} last year?
How often was I {in} last week?
Is the {place} on the way to France?
When does the {place} open on holidays?
How old were the people {in}?
What were the people {in} wearing?
Did the people {in} like me?
What is behind the {place}?
Which bus goes to the {place}?
Who paid for me {in}?
Was it safe {in}?
what is the size of the {place}
temperature {in}?
rent of the {place}?
Tell me how far it is to the {place}.
Do you know who owns the {place}?
I would like to know how warm it was {in}.
""")

ABOUT_ACTIVITY = _lines("""
Who paid for it when I was {gerund}?
Who taught me to {base}?
When did I learn to {base}?
How old was I when I first learned to {base}?
Which song was playing while I was {gerund}?
What was I thinking about while {gerund}?
How did I feel while I was {gerund}?
Did I like {gerund}?
Was I happy when I {past}?
Was I hungry while {gerund}?
Was I any good at {gerund}?
How well did I {base}?
How good am I at {gerund}?
What was I wearing when I {past}?
Which shirt was I wearing while {gerund}?
What was the weather like when I {past}?
Was it raining while I was {gerund}?
How warm was it while I was {gerund}?
What day of the week was it when I {past}?
Did I {base} last week?
How often did I {base} last year?
When did I {base} yesterday?
When will I {base} again?
Is it expensive to {base}?
How many years have I been {gerund}?
Who told my mother that I {past}?
Who likes to see me {gerund}?
Is it healthy to {base}?
Why do I like {gerund}?
How many calories did I burn while {gerund}?
What was my pulse while I was {gerund}?
Which hand did I use for {gerund}?
Was I sitting or standing while {gerund}?
Did I make a mistake while {gerund}?
What is the best way to {base}?
What do people in France say about {gerund}?
Who does it better than me when it comes to {gerund}?
Does my brother like {gerund} too?
how do i feel about {gerund}
weather while {gerund}?
Tell me who taught me to {base}.
Do you know how I felt while {gerund}?
I would like to know which song was on while I was {gerund}.
""")

# Clues are parts of words.
GENERAL = [
    ("Who phoned me?", ["call", "phone"]),
    ("Who called me?", ["call", "phone"]),
    ("What is my name?", ["name", "i am"]),
    ("What is my last name?", ["name"]),
    ("How old am I?", ["old", "birthday"]),
    ("When is my birthday?", ["birthday"]),
    ("When was I born?", ["birthday", "born"]),
    ("In which city was I born?", ["born"]),
    ("How much money did I spend?", ["pounds", "cost"]),
    ("What did I pay?", ["pounds", "cost"]),
    ("How much money do I have?", ["pounds", "money"]),
    ("How much do I earn?", ["pounds", "money"]),
    ("What day was it?", ["day"]),
    ("What day of the week is it?", ["day"]),
    ("What is the date today?", ["day"]),
    ("Which month is it?", ["month"]),
    ("Which year is it?", ["year"]),
    ("Which season is it?", ["summer", "winter"]),
    ("What was the weather like?", ["rain", "beautiful"]),
    ("Was it raining?", ["rain"]),
    ("Will it snow?", ["snow", "rain"]),
    ("Was it windy?", ["wind"]),
    ("Was the sun shining?", ["sun", "beautiful"]),
    ("How cold was it today?", ["cold"]),
    ("what is the temperature", ["cold", "warm"]),
    ("What did I dream about?", ["dream"]),
    ("How long did I sleep?", ["sleep", "wake"]),
    ("How well did I sleep?", ["sleep", "tired"]),
    ("What time did I wake up?", ["wake"]),
    ("When did I go to bed yesterday?", ["bed"]),
    ("Which song was playing?", ["song", "music"]),
    ("What is my favourite song?", ["song", "music"]),
    ("What is my favourite colour?", ["like"]),
    ("What is my favourite food?", ["like"]),
    ("Which film did I like best?", ["film"]),
    ("What is the name of the dog?", ["dog", "name"]),
    ("How old is my cat?", ["cat", "old"]),
    ("Where do I live?", ["live"]),
    ("What is my address?", ["address", "live"]),
    ("How tall am I?", ["tall"]),
    ("How much do I weigh?", ["weigh"]),
    ("What colour are my eyes?", ["eyes"]),
    ("What colour is my hair?", ["hair"]),
    ("Which shoe size do I have?", ["size"]),
    ("Which shirt was I wearing?", ["shirt"]),
    ("What was I wearing today?", ["wear"]),
    ("Which socks did I put on?", ["socks"]),
    ("What did I have for breakfast?", ["breakfast"]),
    ("what was for breakfast", ["breakfast"]),
    ("What will I have for supper?", ["supper", "dinner", "cook"]),
    ("What is my phone number?", ["phone", "number"]),
    ("What is my password?", ["password"]),
    ("What is the code of the door?", ["code"]),
    ("What is my email address?", ["mail"]),
    ("How many mails did I get?", ["mail"]),
    ("How far did I walk?", ["far", "mile"]),
    ("How many steps did I take?", ["steps"]),
    ("How many miles did I ride?", ["mile"]),
    ("What is my blood pressure?", ["blood"]),
    ("What was my pulse?", ["pulse"]),
    ("How many calories did I burn?", ["calories"]),
    ("Am I ill?", ["ill", "sick"]),
    ("What did the doctor find?", ["doctor"]),
    ("Which medicine do I need?", ["medicine"]),
    ("How was I feeling?", ["feel", "tired", "happy"]),
    ("Was I happy today?", ["happy"]),
    ("Why was I sad?", ["sad"]),
    ("Was I bored?", ["bored"]),
    ("Am I in love?", ["love"]),
    ("Who loves me?", ["love"]),
    ("What was I thinking about?", ["think"]),
    ("Was I nervous?", ["nervous"]),
    ("Who won the game?", ["game", "won"]),
    ("What was the score?", ["score", "game"]),
    ("Which team is the best?", ["team"]),
    ("Who won the election?", ["election", "won"]),
    ("Who is the president?", ["president"]),
    ("Who is the queen?", ["queen"]),
    ("What is the capital of France?", ["france"]),
    ("How many people live in Spain?", ["spain"]),
    ("How high is the highest mountain?", ["mountain"]),
    ("How far away is the moon?", ["moon"]),
    ("How many planets are there?", ["planet"]),
    ("What is seven times eight?", ["times"]),
    ("Who wrote Hamlet?", ["hamlet"]),
    ("Who invented the telephone?", ["phone"]),
    ("What is the meaning of life?", ["life"]),
    ("Tell me a joke.", ["joke"]),
    ("What is in the news?", ["news"]),
    ("What was on the television?", ["television"]),
    ("What was the film about?", ["film"]),
    ("What is the book about?", ["book"]),
    ("Who wrote the book?", ["book"]),
    ("What was in the letter?", ["letter"]),
    ("Where is my sister?", ["sister"]),
    ("What is my brother doing?", ["brother"]),
    ("How is my mother?", ["mother"]),
    ("What is the name of my father?", ["father", "name"]),
    ("Do I have children?", ["child"]),
    ("Am I married?", ["marr", "wife", "husband"]),
    ("Who is my best friend?", ["friend"]),
    ("Who is my boss?", ["boss"]),
    ("What is my job?", ["job", "work"]),
    ("Which school did I go to?", ["school"]),
    ("Which languages do I speak?", ["language"]),
    ("What will I do tomorrow?", ["tomorrow"]),
    ("What did I do yesterday?", ["yesterday"]),
    ("What did I do last week?", ["week"]),
    ("Where was I yesterday?", ["yesterday"]),
    ("Where will I go on holiday?", ["holiday"]),
    ("What are my plans for next year?", ["year"]),
    ("What is on the calendar for next week?", ["week"]),
    ("Where is my car?", ["car"]),
    ("Which car do I drive?", ["car"]),
    ("How full is the battery?", ["battery"]),
    ("Who made this camera?", ["camera"]),
    ("How much is a ticket?", ["ticket", "pounds"]),
    ("Is the shop open on Sunday?", ["open", "close", "sunday"]),
    ("How many stars did the hotel have?", ["hotel"]),
    ("what is my bank account number", ["bank", "number"]),
    ("tell me my star sign", ["birthday"]),
    ("Could you tell me what the neighbours are called?", ["neighbour"]),
    ("Do you know what I got for Christmas?", ["christmas"]),
    ("Hey, how do I look today?", ["look"]),
    ("Hey, will the sun shine tomorrow?", ["sun", "rain", "tomorrow"]),
    ("I would like to know how rich I am.", ["rich", "money"]),
    ("my passport number?", ["passport", "number"]),
    ("I forgot my pin, what is it?", ["pin"]),
    ("Remind me when I have to see the dentist.", ["dentist"]),
]


def slots(pattern):
    """The names of the slots in a pattern."""
    return {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}


def check():
    """Every promise of this file; each failure names its pattern."""
    examples = {
        "base": "drink coffee",
        "gerund": "drinking coffee",
        "past": "drank coffee",
        "time": "09:40",
        "object": "keys",
        "are": "are",
        "were": "were",
        "them": "them",
        "place": "cafe",
        "in": "in the cafe",
    }
    assert set(WORDINGS) == set(HELD_OUT) == set(SLOTS)
    banks = [(kind, bank, SLOTS[kind]) for bank in (WORDINGS, HELD_OUT) for kind in bank]
    patterns = [(kind, pattern, allowed) for kind, bank, allowed in banks for pattern in bank[kind]]
    for name, bank, allowed in (
        ("thing", ABOUT_THING, _THING),
        ("place", ABOUT_PLACE, _PLACE),
        ("activity", ABOUT_ACTIVITY, _ACTIVITY),
        ("general", [question for question, _ in GENERAL], ()),
    ):
        patterns += [(name, pattern, allowed) for pattern in bank]
    met = {}
    for kind, pattern, allowed in patterns:
        used = slots(pattern)
        assert used <= set(allowed) and bool(used) == bool(allowed), (kind, pattern)
        text = pattern.format(**examples)
        assert text.isascii() and text == " ".join(text.split()), (kind, pattern)
        assert pattern not in met, (pattern, kind, met[pattern])
        met[pattern] = kind
    # The same words without capitals and marks would be the same question to the examined model.
    plain = {
        kind: {"".join(c for c in p.lower() if c not in ".,:?!") for p in WORDINGS[kind]}
        for kind in WORDINGS
    }
    for kind, held in HELD_OUT.items():
        assert len(WORDINGS[kind]) >= 60 and 6 <= len(held) <= 8, (
            kind,
            len(WORDINGS[kind]),
            len(held),
        )
        assert not plain[kind] & {
            "".join(c for c in p.lower() if c not in ".,:?!") for p in held
        }, kind
    # What examines must not be among the short list that days.py asks with either.
    from days import PHRASINGS

    assert not {p for bank in PHRASINGS.values() for p in bank} & {
        p for bank in HELD_OUT.values() for p in bank
    }
    assert (
        len(ABOUT_THING) >= 40
        and len(ABOUT_PLACE) >= 30
        and len(ABOUT_ACTIVITY) >= 30
        and len(GENERAL) >= 80
    )
    for question, clues in GENERAL:
        assert isinstance(clues, list) and all(clue == clue.lower() for clue in clues), question


# People also say first what they know, and ask then: each statement of a group goes before each
# question of its kinds.
STATEMENTS = {
    "activity": [
        "I {past}.",
        "So I was {gerund}.",
        "I know that I {past}.",
        "I was {gerund}, right?",
        "{gerund}, fine.",
        "I remember {gerund}.",
        "Ok, {gerund}.",
        "{gerund}.",
        "I {past}!",
        "It is about {gerund}.",
    ],
    "place": [
        "I was {in}.",
        "The {place}.",
        "I know that I was {in}.",
        "I went to the {place}.",
        "About the {place}:",
        "So I was {in}, right?",
        "{place}.",
        "I am thinking of the {place}.",
        "I remember the {place}.",
    ],
    "object": [
        "My {object}!",
        "The {object}.",
        "I am looking for my {object}.",
        "I cannot find the {object}.",
        "About the {object}:",
        "I need my {object}.",
        "I had the {object}.",
        "I do not see my {object}.",
    ],
    "time": ["It was {time}.", "{time}.", "Take {time}.", "Look at {time}.", "About {time}:"],
}
QUESTIONS = {
    "where_when": (
        "activity",
        [
            "Where was that?",
            "Where did I do that?",
            "In which place was that?",
            "Where was I then?",
        ],
    ),
    "when_last": (
        "activity",
        [
            "When was that last?",
            "When did I do that last?",
            "When was the last time?",
            "What time was that, the last time?",
        ],
    ),
    "how_many": (
        "activity",
        ["How often was that?", "How many times did I do that?", "How many times was it?"],
    ),
    "did_i": ("activity", ["Is that right?", "Did I do that?", "Was that so, yes or no?"]),
    "after": (
        "activity",
        [
            "What did I do after that?",
            "And then?",
            "What came next?",
            "What did I do next?",
            "What was I doing right after that?",
        ],
    ),
    "before": (
        "activity",
        [
            "What did I do before that?",
            "And before?",
            "What came before that?",
            "What was I doing right before that?",
            "What was I busy with before?",
        ],
    ),
    "last_seen": (
        "object",
        [
            "Where did I last see {them}?",
            "Where did I have {them} last?",
            "Where did you see {them} last?",
        ],
    ),
    "why": (
        "place",
        [
            "Why did I go there?",
            "What did I go there for?",
            "What was the reason?",
            "What did I want there?",
        ],
    ),
    "said_in": (
        "place",
        [
            "What was said there?",
            "What did I hear there?",
            "Someone spoke to me. What did they say?",
            "Which words did I hear there?",
        ],
    ),
    "met": (
        "place",
        [
            "Who did I meet there?",
            "Whom did I meet there?",
            "Somebody said their name. Who was it?",
            "What was the name?",
        ],
    ),
    "people": (
        "place",
        [
            "How many people were there?",
            "How many were there?",
            "How many persons did I see there?",
        ],
    ),
    "doing_at": ("time", ["What was I doing then?", "What did I do?", "What was I doing?"]),
    "said_at": ("time", ["What was said then?", "What did I hear?", "What did they say?"]),
}
for _kind, (_group, _questions) in QUESTIONS.items():
    WORDINGS[_kind] = list(
        dict.fromkeys(
            WORDINGS[_kind]
            + [
                f"{statement} {question}"
                for statement in STATEMENTS[_group]
                for question in _questions
            ]
        )
    )


if __name__ == "__main__":
    check()
    for _kind in WORDINGS:
        print(f"{_kind:12} {len(WORDINGS[_kind]):3} patterns, {len(HELD_OUT[_kind])} held out")
    print(
        f"thing {len(ABOUT_THING)}, place {len(ABOUT_PLACE)}, activity {len(ABOUT_ACTIVITY)}, "
        f"general {len(GENERAL)}"
    )
