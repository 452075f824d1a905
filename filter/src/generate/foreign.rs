//! Short texts in other languages and scripts, made of whole sentences.

use crate::rng::Rng;

const LANGUAGES: [[&str; 8]; 14] = [
    [
        "Am Morgen ging die Frau mit ihrem Hund durch den Park.",
        "Der Himmel war blau, und die Vögel sangen in den Bäumen.",
        "Nach dem Essen las der Großvater den Kindern eine Geschichte vor.",
        "Es war einmal ein kleiner Junge, der einen roten Ball hatte.",
        "Wir haben gestern lange über das Wetter gesprochen.",
        "Die Nachbarin brachte uns einen Kuchen mit vielen Äpfeln.",
        "Am Abend saßen alle zusammen und erzählten von ihrem Tag.",
        "Das Haus am See ist alt, aber sehr schön.",
    ],
    [
        "Le matin, la femme se promenait dans le parc avec son chien.",
        "Le ciel était bleu et les oiseaux chantaient dans les arbres.",
        "Après le repas, le grand-père lisait une histoire aux enfants.",
        "Il était une fois un petit garçon qui avait un ballon rouge.",
        "Nous avons parlé longtemps du temps qu'il fait.",
        "La voisine nous a apporté un gâteau avec beaucoup de pommes.",
        "Le soir, tout le monde était assis ensemble et racontait sa journée.",
        "La maison au bord du lac est vieille mais très belle.",
    ],
    [
        "Por la mañana la mujer paseaba con su perro por el parque.",
        "El cielo estaba azul y los pájaros cantaban en los árboles.",
        "Después de comer, el abuelo leía un cuento a los niños.",
        "Había una vez un niño pequeño que tenía una pelota roja.",
        "Ayer hablamos mucho tiempo sobre el tiempo.",
        "La vecina nos trajo un pastel con muchas manzanas.",
        "Por la noche todos estaban sentados juntos y contaban su día.",
        "La casa junto al lago es vieja, pero muy bonita.",
    ],
    [
        "La mattina la donna passeggiava nel parco con il suo cane.",
        "Il cielo era azzurro e gli uccelli cantavano sugli alberi.",
        "Dopo pranzo il nonno leggeva una storia ai bambini.",
        "C'era una volta un bambino che aveva una palla rossa.",
        "Ieri abbiamo parlato a lungo del tempo.",
        "La vicina ci ha portato una torta con molte mele.",
        "La sera tutti sedevano insieme e raccontavano la loro giornata.",
        "La casa sul lago è vecchia ma molto bella.",
    ],
    [
        "De manhã a mulher passeava com o seu cão pelo parque.",
        "O céu estava azul e os pássaros cantavam nas árvores.",
        "Depois do almoço o avô lia uma história para as crianças.",
        "Era uma vez um menino que tinha uma bola vermelha.",
        "Ontem falamos muito tempo sobre o tempo.",
        "A vizinha trouxe um bolo com muitas maçãs para nós.",
        "À noite todos estavam sentados juntos e contavam o seu dia.",
        "A casa junto ao lago é velha, mas muito bonita.",
    ],
    [
        "'s Ochtends liep de vrouw met haar hond door het park.",
        "De hemel was blauw en de vogels zongen in de bomen.",
        "Na het eten las de grootvader de kinderen een verhaal voor.",
        "Er was eens een kleine jongen die een rode bal had.",
        "We hebben gisteren lang over het weer gesproken.",
        "De buurvrouw bracht ons een taart met veel appels.",
        "'s Avonds zaten ze allemaal samen en vertelden over hun dag.",
        "Het huis aan het meer is oud, maar erg mooi.",
    ],
    [
        "Rano kobieta spacerowała po parku ze swoim psem.",
        "Niebo było niebieskie, a ptaki śpiewały na drzewach.",
        "Po obiedzie dziadek czytał dzieciom opowiadanie.",
        "Był sobie raz mały chłopiec, który miał czerwoną piłkę.",
        "Wczoraj długo rozmawialiśmy o pogodzie.",
        "Sąsiadka przyniosła nam ciasto z wieloma jabłkami.",
        "Wieczorem wszyscy siedzieli razem i opowiadali o swoim dniu.",
        "Dom nad jeziorem jest stary, ale bardzo piękny.",
    ],
    [
        "Утром женщина гуляла с собакой по парку.",
        "Небо было голубым, и птицы пели на деревьях.",
        "После обеда дедушка читал детям сказку.",
        "Жил-был маленький мальчик, у которого был красный мяч.",
        "Вчера мы долго говорили о погоде.",
        "Соседка принесла нам пирог с яблоками.",
        "Вечером все сидели вместе и рассказывали о своём дне.",
        "Дом у озера старый, но очень красивый.",
    ],
    [
        "Το πρωί η γυναίκα περπατούσε με τον σκύλο της στο πάρκο.",
        "Ο ουρανός ήταν γαλανός και τα πουλιά τραγουδούσαν στα δέντρα.",
        "Μετά το φαγητό ο παππούς διάβαζε στα παιδιά μια ιστορία.",
        "Μια φορά κι έναν καιρό ήταν ένα αγόρι που είχε μια κόκκινη μπάλα.",
        "Χθες μιλήσαμε πολλή ώρα για τον καιρό.",
        "Η γειτόνισσα μας έφερε ένα γλυκό με πολλά μήλα.",
        "Το βράδυ όλοι κάθονταν μαζί και έλεγαν για τη μέρα τους.",
        "Το σπίτι δίπλα στη λίμνη είναι παλιό αλλά πολύ όμορφο.",
    ],
    [
        "Sabahleyin kadın köpeğiyle parkta yürüyordu.",
        "Gökyüzü maviydi ve kuşlar ağaçlarda şarkı söylüyordu.",
        "Yemekten sonra dede çocuklara bir hikâye okudu.",
        "Bir zamanlar kırmızı topu olan küçük bir çocuk varmış.",
        "Dün uzun süre hava hakkında konuştuk.",
        "Komşu bize bol elmalı bir pasta getirdi.",
        "Akşam herkes birlikte oturup gününü anlattı.",
        "Göl kenarındaki ev eski ama çok güzel.",
    ],
    [
        "في الصباح كانت المرأة تمشي مع كلبها في الحديقة.",
        "كانت السماء زرقاء والطيور تغني على الأشجار.",
        "بعد الغداء قرأ الجد قصة للأطفال.",
        "كان هناك ولد صغير عنده كرة حمراء.",
        "تحدثنا أمس طويلا عن الطقس.",
        "أحضرت لنا الجارة كعكة فيها تفاح كثير.",
        "في المساء جلس الجميع معا وتحدثوا عن يومهم.",
        "البيت قرب البحيرة قديم لكنه جميل جدا.",
    ],
    [
        "सुबह औरत अपने कुत्ते के साथ बगीचे में घूम रही थी।",
        "आसमान नीला था और चिड़ियाँ पेड़ों पर गा रही थीं।",
        "खाने के बाद दादाजी ने बच्चों को कहानी सुनाई।",
        "एक समय की बात है, एक छोटे लड़के के पास लाल गेंद थी।",
        "कल हमने मौसम के बारे में बहुत देर तक बात की।",
        "पड़ोसन हमारे लिए सेब का केक लाई।",
        "शाम को सब साथ बैठे और अपने दिन के बारे में बताया।",
        "झील के पास का घर पुराना है पर बहुत सुंदर है।",
    ],
    [
        "早上，那个女人带着她的狗在公园里散步。",
        "天空很蓝，鸟儿在树上唱歌。",
        "吃完饭以后，爷爷给孩子们讲了一个故事。",
        "从前有一个小男孩，他有一个红色的球。",
        "昨天我们谈了很久的天气。",
        "邻居给我们带来了一个有很多苹果的蛋糕。",
        "晚上大家坐在一起，说说自己的一天。",
        "湖边的房子很旧，但是非常漂亮。",
    ],
    [
        "朝、女の人は犬と一緒に公園を歩いていました。",
        "空は青く、鳥が木の上で歌っていました。",
        "食事のあとで、おじいさんは子どもたちにお話を読みました。",
        "昔、赤いボールを持った小さな男の子がいました。",
        "昨日は天気について長い間話しました。",
        "隣の人がりんごのたくさん入ったケーキを持ってきてくれました。",
        "夜はみんなで座って、その日のことを話しました。",
        "湖のそばの家は古いですが、とてもきれいです。",
    ],
];

/// A text of 8 to 20 sentences in one language.
pub(super) fn text(rng: &mut Rng) -> String {
    let sentences = &LANGUAGES[rng.below(LANGUAGES.len())];
    let spaced = sentences[0].contains(' ');
    let mut out = String::new();
    let mut last = usize::MAX;
    for _ in 0..8 + rng.below(13) {
        let mut next = rng.below(sentences.len());
        if next == last {
            next = (next + 1) % sentences.len();
        }
        last = next;
        out.push_str(sentences[next]);
        if spaced {
            out.push(' ');
        }
    }
    out.trim_end().to_string()
}
