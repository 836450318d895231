"""Wordings put together from parts: clauses that say what is wanted, and the ways in which people
ask for it.

`wordings.py` holds whole questions; here "where I left my {object}" meets "Tell me {q}.", "My
sister wants to know {q}." and eighty
more, so that the model learns which words ask and which only surround them. Only data, and `made`,
which puts it together.
None of the results is one of wordings.HELD_OUT, but many of the words in those are here, in other
turns.
"""

import re

CLAUSES = {
    "where_when": [
        "where I was {gerund}",
        "where I {past}",
        "in which place I {past}",
        "which place I was in when I {past}",
        "where it was that I {past}",
        "the place where I {past}",
        "what place I was in while {gerund}",
        "where I was when I {past}",
        "where I went to {base}",
        "where I had been {gerund}",
        "in what room or place I {past}",
        "where all the {gerund} happened",
        "where exactly I {past}",
        "where I stood while {gerund}",
        "the place in which I was {gerund}",
        "where one could see me {gerund}",
    ],
    "doing_at": [
        "what I was doing at {time}",
        "what I did at {time}",
        "what I was up to at {time}",
        "what I was busy with at {time}",
        "what was going on at {time}",
        "which activity it was at {time}",
        "what kept me busy at {time}",
        "what happened at {time}",
        "my activity at {time}",
        "what it was that I did at {time}",
        "what I was in the middle of at {time}",
        "how I passed the time at {time}",
        "what exactly I was doing at {time}",
        "what I am doing at {time}",
        "what I spent my time on at {time}",
    ],
    "when_last": [
        "when I last {past}",
        "when I was last {gerund}",
        "at what time I last {past}",
        "the last time I {past}",
        "when it was that I last {past}",
        "what time it was when I last {past}",
        "the time of my last {gerund}",
        "when the last time was that I {past}",
        "the most recent time I {past}",
        "at what time I last started {gerund}",
        "when I {past} for the last time",
        "what the clock said when I last {past}",
        "when I most recently {past}",
        "when I {past}",
        "at which time I was {gerund}",
        "when exactly I last {past}",
    ],
    "did_i": [
        "whether I {past}",
        "if I {past}",
        "whether I was {gerund}",
        "if I was {gerund} at all",
        "if I ever {past}",
        "whether I {past} at any time",
        "if there was a time when I {past}",
        "whether or not I {past}",
        "if it is true that I {past}",
        "whether I got to {base}",
        "if I had the time to {base}",
        "if I really {past}",
        "whether you saw me {gerund}",
        "if I have been {gerund}",
        "whether I did {base}",
        "if there was any {gerund}",
        "whether the log has me {gerund}",
        "if I can be seen {gerund}",
    ],
    "how_many": [
        "how many times I {past}",
        "how often I {past}",
        "how often I was {gerund}",
        "how many times I was {gerund}",
        "the number of times I {past}",
        "on how many occasions I {past}",
        "how many times in all I {past}",
        "how often in total I was {gerund}",
        "how many separate times I {past}",
        "how many times you saw me {gerund}",
        "how many times it was that I {past}",
        "just how often I {past}",
        "how many times there was {gerund}",
        "the count of {gerund}",
        "how many times {gerund} came up",
    ],
    "after": [
        "what I did after {gerund}",
        "what I did after I {past}",
        "what came after {gerund}",
        "what I did next once I had finished {gerund}",
        "what I was doing right after I {past}",
        "what happened after I {past}",
        "what I did once I was done {gerund}",
        "what followed {gerund}",
        "the thing I did right after {gerund}",
        "which activity came after {gerund}",
        "what I turned to after {gerund}",
        "what I started when I stopped {gerund}",
        "what was next after I {past}",
        "what came next, after {gerund}",
        "what I did afterwards, when I had {past}",
        "what I was busy with after {gerund}",
        "my next activity after {gerund}",
        "what I went on to do after I {past}",
        "what I did later than {gerund}, right after it",
        "what I did following {gerund}",
        "what {gerund} was followed by",
        "what I did with {gerund} done",
        "the following activity when I had {past}",
        "what I did subsequent to {gerund}",
        "what I began when {gerund} was finished",
    ],
    "before": [
        "what I did before {gerund}",
        "what I did before I {past}",
        "what came before {gerund}",
        "what I had been doing before I {past}",
        "what I was doing right before {gerund}",
        "what happened before I {past}",
        "the thing I did just before {gerund}",
        "which activity came before {gerund}",
        "what I was busy with before I started {gerund}",
        "what preceded {gerund}",
        "what I did immediately before I {past}",
        "what I finished before {gerund}",
        "my last activity before {gerund}",
        "what I was up to before I {past}",
        "what I did first, before {gerund}",
        "my previous activity, before {gerund}",
        "what I had done just before I {past}",
        "what I did earlier than {gerund}, right before it",
        "what came previously to {gerund}",
        "what I did prior to {gerund}",
        "what I was doing until I {past}",
        "the previous thing I did when I {past}",
        "what I left off to start {gerund}",
        "the activity previous to {gerund}",
        "what I did ahead of {gerund}",
        "what I had just finished when I started {gerund}",
    ],
    "last_seen": [
        "where I left my {object}",
        "where the {object} {are}",
        "where my {object} {are}",
        "where I put the {object}",
        "where I last saw the {object}",
        "where I had my {object} last",
        "in which place I left my {object}",
        "the place where I last saw the {object}",
        "where I can find my {object}",
        "where to find my {object}",
        "where my {object} went",
        "where my {object} might be",
        "where my {object} got to",
        "where you last saw my {object}",
        "where the {object} {were} last",
        "what place my {object} {are} in",
        "where I dropped my {object}",
        "where the {object} ended up",
        "where I forgot my {object}",
        "in what place the {object} {were} seen last",
        "where somebody put my {object}",
        "where I must look for my {object}",
        "where I should search for the {object}",
        "where my {object} turned up last",
        "where I would find my {object}",
        "where somebody could pick up my {object}",
        "where I should go to get my {object}",
    ],
    "why": [
        "why I went to the {place}",
        "why I was {in}",
        "what I went to the {place} for",
        "what I wanted {in}",
        "for what reason I went to the {place}",
        "what I had to do {in}",
        "what I was supposed to do {in}",
        "the reason I went to the {place}",
        "what brought me to the {place}",
        "what I needed {in}",
        "why I had to go to the {place}",
        "what the reason was for going to the {place}",
        "what my errand {in} was",
        "why someone sent me to the {place}",
        "why I ended up {in}",
        "why I walked to the {place}",
        "the purpose of my visit to the {place}",
        "why on earth I was {in}",
        "what business I had {in}",
        "what someone asked me to do {in}",
        "what I was asked to go to the {place} for",
        "what good it was to go to the {place}",
    ],
    "said_at": [
        "what was said at {time}",
        "what I heard at {time}",
        "which words were spoken at {time}",
        "what somebody said at {time}",
        "what they said at {time}",
        "what the voice said at {time}",
        "what someone told me at {time}",
        "the words that were spoken at {time}",
        "what it was that I heard at {time}",
        "which sentence was said at {time}",
        "what I was told at {time}",
        "what people said at {time}",
    ],
    "said_in": [
        "what was said {in}",
        "what I heard {in}",
        "which words were spoken {in}",
        "what somebody said {in}",
        "what they said {in}",
        "what the voice said {in}",
        "what someone told me {in}",
        "the words that were spoken {in}",
        "what it was that I heard {in}",
        "which sentence was said {in}",
        "what I was told {in}",
        "what people said {in}",
        "what I heard when I was {in}",
    ],
    "promised": [
        "what I promised",
        "what I promised to do",
        "which promise I made",
        "what my promise was",
        "what it was that I promised",
        "what I have promised",
        "the thing I promised",
        "what I said I would do",
        "what I agreed to do",
        "what I must do because I promised it",
        "what kind of promise I made",
        "what exactly I promised somebody",
        "what I still have to do as promised",
        "what I swore to do",
        "what I committed to",
        "what I owe somebody as promised",
        "what I gave my word to do",
        "what I have to do for somebody",
        "what others expect of me since I promised it",
    ],
    "met": [
        "who I met {in}",
        "whom I met {in}",
        "who said hello to me {in}",
        "the name of the person I met {in}",
        "what the person {in} was called",
        "who introduced themselves {in}",
        "whose name I heard {in}",
        "who greeted me {in}",
        "who it was that I met {in}",
        "who told me their name {in}",
        "what name I was given {in}",
        "who I got to know {in}",
        "who came up to me {in}",
        "what they were called, the one I met {in}",
        "who I was introduced to {in}",
        "the name I was told {in}",
        "whose acquaintance I made {in}",
        "who the new person {in} was",
        "what the name of the one I met {in} was",
        "who said their name {in}",
    ],
    "met_any": [
        "who I met",
        "whom I met",
        "who said hello to me",
        "the name of the person I met",
        "what the person I met was called",
        "who introduced themselves to me",
        "whose name I heard",
        "who greeted me",
        "who it was that I met",
        "who told me their name",
        "what name I was given",
        "who I got to know",
        "who came up to me and said hello",
        "who I was introduced to",
        "the name I was told",
        "whose acquaintance I made",
        "who the new person was",
        "what the name of the one I met was",
        "who said their name",
    ],
    "people": [
        "how many people were {in}",
        "how many people I saw {in}",
        "how many people were with me {in}",
        "how many persons were {in}",
        "the number of people {in}",
        "how many others were {in}",
        "how many people there were {in}",
        "how many people I had around me {in}",
        "how many persons were there when I was {in}",
        "how many people one could see {in}",
        "how many people kept me company {in}",
        "how many were around {in}",
        "how many other people shared the {place} with me",
        "how big the group was {in}",
        "how much company I had {in}",
        "what the headcount was {in}",
        "how many persons you counted {in}",
        "how many there were {in} besides me",
    ],
    "thing": [
        "what colour the {object} {were}",
        "how much the {object} cost",
        "who gave me the {object}",
        "who owns the {object}",
        "how old the {object} {are}",
        "which brand the {object} {are}",
        "how heavy the {object} {are}",
        "what the {object} {are} made of",
        "who bought the {object}",
        "where I bought the {object}",
        "in which shop I got my {object}",
        "when I bought the {object}",
        "the price of the {object}",
        "the size of the {object}",
        "how big the {object} {were}",
        "who made the {object}",
        "how the {object} smelled",
        "why I bought the {object}",
        "whether the {object} {are} new",
        "if the {object} {were} broken",
        "what the {object} {are} worth",
        "how long I have had my {object}",
        "what is written on the {object}",
        "who used the {object} before me",
    ],
    "place": [
        "how big the {place} was",
        "how far away the {place} is",
        "how cold it was {in}",
        "how warm it was {in}",
        "what it smelled like {in}",
        "how loud it was {in}",
        "who owns the {place}",
        "who built the {place}",
        "the address of the {place}",
        "how many windows there are {in}",
        "what I was wearing {in}",
        "what the weather was like {in}",
        "how I felt {in}",
        "who cleans the {place}",
        "what I thought about {in}",
        "whether it was clean {in}",
        "if I was hungry {in}",
        "how old the people {in} were",
        "what the people {in} were wearing",
        "which song was playing {in}",
        "how old the {place} is",
        "how I got to the {place}",
        "the colour of the walls {in}",
    ],
    "activity": [
        "who taught me to {base}",
        "when I learned to {base}",
        "how I felt while I was {gerund}",
        "what I was thinking while {gerund}",
        "what I was wearing when I {past}",
        "what the weather was like when I {past}",
        "how well I {past}",
        "why I like {gerund}",
        "how many calories I burned while {gerund}",
        "who paid when I was {gerund}",
        "whether I enjoyed {gerund}",
        "when I {past} last year",
        "how often I {past} last week",
        "which song was on while I was {gerund}",
        "how much it costs to {base}",
        "which hand I used for {gerund}",
        "if {gerund} made me tired",
        "who watched me {gerund}",
        "how good I am at {gerund}",
        "when I will {base} again",
    ],
}

ASKING = """
Tell me {q}.
Please tell me {q}.
Just tell me {q}.
tell me {q}
Could you tell me {q}?
Can you tell me {q}?
Would you tell me {q}?
Would you mind telling me {q}?
Are you able to tell me {q}?
Do you know {q}?
Do you happen to know {q}?
Do you remember {q}?
Do you recall {q}?
Do you have any idea {q}?
Have you any idea {q}?
Any idea {q}?
Any clue {q}?
any idea {q}
I need to know {q}.
I have to know {q}.
I want to know {q}.
I would like to know {q}.
I'd love to know {q}.
I was wondering {q}.
I wonder {q}.
I am asking myself {q}.
I forgot {q}.
I keep forgetting {q}.
I have forgotten {q}.
I totally forgot {q}!
I can't remember {q}.
I cannot recall {q}.
I don't remember {q}.
I am trying to remember {q}.
I'm not sure {q}.
I do not know {q}, do you?
I have no clue {q}.
Not sure {q}.
No idea {q}, help me.
Remind me {q}.
Remind me please {q}.
Help me remember {q}.
Help me find out {q}.
Let me know {q}.
Say {q}.
Please say {q}.
Write down {q}.
Find out {q}.
Find out for me {q}.
Look up {q}.
Please look up {q}.
Check {q}, would you?
Please check {q}.
Can you check {q}?
Could you look up {q}?
Can you work out {q}?
Can you see {q}?
Did you see {q}?
Did you notice {q}?
Explain {q}.
Show me {q}.
Let us see {q}.
What I want to know is {q}.
What I need is {q}.
My question is {q}.
The question is {q}.
It is important to know {q}.
Is it in there {q}?
Does the log say {q}?
Does the video show {q}?
My {who} wants to know {q}.
My {who} asks {q}.
My {who} is asking {q}.
My {who} would like to know {q}.
Somebody asked me {q}.
They ask {q}.
People want to hear {q}.
I must tell my {who} {q}.
I have to write down {q}.
For my diary I need {q}.
For my notes: {q}?
Give me {q}.
""".strip().splitlines()
WHO = "wife,husband,mother,father,sister,brother,son,daughter,friend,boss,doctor,nurse,teacher,neighbour,mum,dad,grandma,aunt,uncle,partner".split(
    ","
)

TALK = """
My memory is not what it was.
I am in a hurry.
This is driving me mad.
I feel so silly asking.
Thanks in advance.
Sorry to bother you.
Sorry about all the questions.
It has been a long day.
What a day that was.
I was not paying attention.
My head is full.
I am getting old.
I hope you can help.
You were watching, right?
You saw everything.
It is for my diary.
It is for a report.
I need it for work.
My boss will ask me.
Everybody keeps asking me.
No rush.
This one is easy.
Here is another one.
Let us try this.
I have been thinking about it all morning.
I could not sleep last night.
Not that it matters.
It is not important.
This is really important.
I am curious.
Just checking.
Help!
Oh no!
Dear me.
Goodness.
Good grief.
Hello there.
Good evening.
Hi computer.
Listen.
Look.
Wait.
Hold on.
Right.
Anyway.
Well then.
Never mind the rest.
Honestly.
Seriously.
For goodness' sake.
Bless you.
Oops.
Ah.
Ugh.
Um.
Hmm.
Yo.
Okay then.
All right.
Cheers.
Ta.
Thank you so much.
You are a star.
Be quick.
Short answer please.
One word is enough.
In a few words.
Only if you know.
If you do not know, say so.
Do not guess.
""".strip().splitlines()
# Openings of many parts, "{a|b}" being a choice of one; {who} and {called} as WHO and CALLED have
# them. They end where the question begins.
OPENERS = """
{Just|Only|Purely} for {the record|the report|the files|my own notes|my peace of mind|my diary|the insurance|the logbook|the family|the police|my {who}}{:|,|, please:}
I am {so|very|too|a bit} {tired|busy|old|confused|stressed|sleepy|distracted|forgetful} {today|right now|these days|to think|and I forget everything}{,|.|:|, so}
I'm {so|very} {tired|busy|old|confused|stressed|sleepy} {that I forget things|I can hardly think|that nothing sticks|my head spins}{,|.|:}
{To be|To be quite|To be perfectly|Let me be} {honest|frank|sure|clear|exact}{,|:}
{Be|Now be|Please be} {honest|kind|quick|fair|patient|an angel|a dear} {with me|now|for once}{,|, {called},|:}
{Tell me the truth|Give it to me straight|Don't laugh|Don't be angry|Help me out|Think hard|Have a look|Take your time|Correct me if I am wrong}{,|:|. |, {called}:}
My {who} {swears|claims|says|thinks|insists|believes} {otherwise|that I am wrong|something else|I made it up|it is not so|I am mistaken}{, so|.|:|,}
My {who} and I {have a bet|do not agree|are arguing about this|were just talking}{:|.|, so}
{Before I go|Before I forget|While you are at it|If you don't mind|If I may ask|If you can|If you please|As far as you know|Out of interest|By the way|Come to think of it|Once more|First of all|To begin with|On another note|Between you and me|To settle a bet|Since you ask|While I remember}{,|:|, {called},}
{Quick|Silly|Stupid|Simple|Odd|Strange|Last|Next|Easy|Another|Small|Tiny} {question|one|thing|request}{:|, {called}:|.|,}
{Good morning|Good evening|Hello|Hi|Hey|Excuse me|Sorry|Pardon me|Listen|Look|Well|Right|Okay|Alright|Now then}{,|!|, {called},|, {called}!}
{Dear|My dear|Hello my|Sweet|Good old} {called}{,|:}
{Oh dear|Oh no|Oh well|Goodness|Gosh|Ugh|Argh|Hm|Ah|Damn|Blast|Dear me|Good heavens}{,|!|...|, {called},} {my memory|my poor head|I forgot again|here I go again|not again|where was my mind|it is gone|I can't recall}{!|.|...|:}
{I want|I'd like|I hope|I need|I have} to {fill in my diary|write a report|tell my {who}|make sure|get this right|put my notes in order|finish my list}{,|:|, so|.}
{You know|You see|Believe it or not|Funny enough|Strangely|Honestly|Seriously|Frankly}{,|, {called},}
{Somebody|Someone|The {who}|My {who}} {asked me this|keeps asking|wants to know|is waiting for an answer|will ask}{:|.|, so}
""".strip().splitlines()
CLOSERS = """
, {called}
, if I may ask
, if you know
, be honest
, any idea
, just curious
, please and thank you
, I wonder
, would you say
, or am I wrong
, as far as you can tell
, I mean
, {called}, please
 that day
 on that day
 back then
 this morning
 all day
 in the end
 on camera
 in that video
 according to you
""".strip("\n").splitlines()


def spun(rng, text):
    """One of what a pattern with choices can say."""
    text = text.replace("{who}", rng.choice(WHO)).replace("{called}", rng.choice(CALLED))
    while "{" in text:
        text = re.sub(r"\{([^{}]*)\}", lambda found: rng.choice(found.group(1).split("|")), text)
    return text


CALLED = (
    "dear,buddy,mate,love,darling,honey,friend,sir,madam,doctor,mum,mummy,dad,grandpa,grandma,sweetheart,my friend,young lady,boy,pal,"
    "boss,captain,assistant,computer,robot,you"
).split(",")
MORE_WORDS = """able about above across act add afraid age ago air all almost alone along already also although angry animal answer any apple arm around
arrive art ask bad bag ball bath beautiful become bed begin behind believe below beside best better between beyond bird bit body bone bottom box bread break
bridge brown build busy buy cake camera cannot card care carry catch cause chance change cheap check child choose clean clear clever climb close clothes cloud
coat coffee colour common company cook corner cost count country couple course cover cup curious cut damp danger daughter dear decide deep different dinner
dirty doll double doubt down dozen dream dress drive dry during each ear early earth easy eat edge either else empty enough evening every exact except excited
expect eye face fact fair fall family famous fast fat favourite fear feel feet few field fill film final fine finish fire first flat floor fly follow foot
forest forget fresh full fun funny garden general gentle gift girl glad glass gold gone great ground group grow guess guest guy habit half happen happy hard
hat hate heart heavy hide high hold holiday honest hope horse hospital hour huge hungry ice idea if ill important inside instead interest iron island job join
joke joy judge jump just kind king kiss kitchen knee knife knock lake lamp land language large laugh law lazy lead leaf least left leg less lesson letter level
lie lift likely limit line lip list listen lonely long loud love low lucky lunch mad main many market matter maybe meal mean meat medium memory middle might milk
mind minute miss mistake moment moon more most mouth much must nail narrow near neck need neighbour neither nervous never next nice nine nobody noise none north
nose note nothing notice number ocean odd off offer office often oil once only opposite order outside over own page pain pair pale part party pass past patient
pause peace pen perhaps photo pick piece place plain plan plant plate pleasant plenty pocket point poor possible pretty price problem promise proud pull pure push
puzzled quiet quite rain rather ready real reason recent record rest rich ring river rock roof round rude rule sad safe salt same save school sea seat second
secret seem sense serious several shake shall shape share sharp shoe short should shout shy sick side sign silly simple since sing size skin sky sleep slow small
smart smell smile snow soft some son soon sore sort soul sound sour south space special spend spoon spring stairs star start station stay steal step still stone
stop storm strange strong such sudden sugar suit summer sure surprise sweet table tall taste tea teach team tear test than thick thin thing third though through
tie tight till tiny tired together tomorrow tonight tooth top touch toward toy travel tree trip trouble true trust try twice type ugly under unless until up upset
upon usual very view village visit voice wait wake walk wall warm wash watch way weak wear weather wedding weekend weird welcome well west wet wheel while whole
why wide wild win wind wine winter wise wish without woman wonder wonderful wood work world worry worse worth wrong yesterday yet young yours zero""".split()


# Said first, asked then: what only a question with yes or no has.
SAID_FIRST = """
My {who} says that I {past}. Is that right?
My {who} thinks I was {gerund}. Is it true?
My {who} claims I never {past}. Did I?
Somebody told me that I {past}. Did I really?
They say I {past}. Is that so?
I believe I {past}. Am I right?
I am sure that I {past}. Am I mistaken, or did I?
I was {gerund}, or was I not?
There was some {gerund}, I think. Was there?
Did the camera catch me {gerund}, or did I not do it?
""".strip().splitlines()


def made(bank):
    """Patterns of a bank of clauses, each clause in each way of asking."""
    out = []
    if bank == "did_i":
        out = [text.replace("{who}", who) for text in SAID_FIRST for who in WHO[::2]]
    for i, clause in enumerate(CLAUSES[bank]):
        for k, asking in enumerate(ASKING):
            text = asking.replace("{who}", WHO[(i * 7 + k) % len(WHO)]).replace("{q}", clause)
            out.append(text)
    return out


YOU = [
    (r"\bwas i\b", "were you"),
    (r"\bi was\b", "you were"),
    (r"\bam i\b", "are you"),
    (r"\bi am\b", "you are"),
    (r"\bi\b", "you"),
    (r"\bmy\b", "your"),
]


def to_you(question):
    """'Where was I reading a book?' -> 'Where were you reading a book?', as others ask the wearer;
    as it is where it speaks to somebody."""
    if re.search(
        r"\byou|\bme\b|my (?:"
        + "|".join(WHO)
        + r")\b|remind|remember|forg|wonder|not sure|no clue|know",
        question,
        re.IGNORECASE,
    ):
        return question
    for pattern, you in YOU:
        question = re.sub(pattern, you, question, flags=re.IGNORECASE)
    return question[:1].upper() + question[1:]
